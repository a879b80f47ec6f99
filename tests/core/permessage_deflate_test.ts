import { assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "node:test";
import { HandshakeError } from "../../src/core/errors.ts";
import { formatExtensions, parseExtensions } from "../../src/core/extensions.ts";
import { acceptDeflate, checkDeflate, offerDeflate } from "../../src/core/permessage_deflate.ts";

const PMD = "permessage-deflate";
const TAKEOVER = { contextTakeover: true, windowBits: 15 };
const NO_TAKEOVER = { contextTakeover: false, windowBits: 15 };
const NEITHER = "server_no_context_takeover; client_no_context_takeover";

/** The answer to offers, and what it means; `null` if all are declined. */
function answer(offers: string, wish = TAKEOVER): string | null {
  const accepted = acceptDeflate(parseExtensions(offers), wish);
  if (accepted === null) return null;
  const { params } = accepted;
  const words = [
    params.serverNoContextTakeover ? "server alone" : "server",
    params.serverMaxWindowBits,
    params.clientNoContextTakeover ? "client alone" : "client",
    params.clientMaxWindowBits,
  ];
  const text = formatExtensions([accepted.answer]);
  return `${text.slice(PMD.length).replace(/^; /, "")} = ${words.join(" ")}`;
}

describe("acceptDeflate()", () => {
  for (
    const [offer, expected] of [
      ["", " = server 15 client 15"],
      ["server_no_context_takeover", "server_no_context_takeover = server alone 15 client 15"],
      ["client_no_context_takeover", "client_no_context_takeover = server 15 client alone 15"],
      ["client_max_window_bits", " = server 15 client 15"],
      ["client_max_window_bits=15", " = server 15 client 15"],
      ["client_max_window_bits=10", "client_max_window_bits=10 = server 15 client 10"],
      ["server_max_window_bits=15", "server_max_window_bits=15 = server 15 client 15"],
      ["server_max_window_bits=9", "server_max_window_bits=9 = server 9 client 15"],
      ["server_max_window_bits=8", "server_max_window_bits=8 = server 8 client 15"],
      ["client_max_window_bits=8", "client_max_window_bits=8 = server 15 client 8"],
    ]
  ) {
    test(`answers an offer of ${offer || "nothing more"}`, () => {
      assertEquals(answer(offer === "" ? PMD : `${PMD}; ${offer}`), expected);
    });
  }

  test("C-18 takes the same or a smaller window than was offered, for each value", () => {
    for (let bits = 8; bits <= 15; bits++) {
      const offer = `${PMD}; server_max_window_bits=${bits}`;
      assertEquals(answer(offer), `server_max_window_bits=${bits} = server ${bits} client 15`);
      const least = Math.min(bits, 11);
      assertEquals(
        answer(offer, { contextTakeover: true, windowBits: 11 }),
        `server_max_window_bits=${least} = server ${least} client 15`,
      );
    }
  });

  test("H-65 a quoted value is the same as one without quotes (RFC 6455 9.1)", () => {
    assertEquals(
      answer(`${PMD}; server_max_window_bits="10"`),
      "server_max_window_bits=10 = server 10 client 15",
    );
  });

  test("without context takeover says so, whether it was asked for or not", () => {
    assertEquals(answer(PMD, NO_TAKEOVER), `${NEITHER} = server alone 15 client alone 15`);
    assertEquals(
      answer(`${PMD}; client_max_window_bits`, { contextTakeover: false, windowBits: 9 }),
      `${NEITHER}; server_max_window_bits=9; client_max_window_bits=9 = ` +
        "server alone 9 client alone 9",
    );
  });

  test("does not limit a client's window that it may not limit", () => {
    assertEquals(
      answer(PMD, { contextTakeover: true, windowBits: 9 }),
      "server_max_window_bits=9 = server 9 client 15",
    );
  });

  for (
    const params of [
      "foo",
      "foo=1",
      "server_no_context_takeover=1",
      "client_no_context_takeover=true",
      "server_no_context_takeover; server_no_context_takeover",
      "client_max_window_bits; client_max_window_bits=10",
      "server_max_window_bits",
      "server_max_window_bits=7",
      "server_max_window_bits=16",
      "server_max_window_bits=08",
      "server_max_window_bits=010",
      "server_max_window_bits=1000",
      "server_max_window_bits=-9",
      "server_max_window_bits=+9",
      "server_max_window_bits=9.0",
      "server_max_window_bits=0x9",
      "client_max_window_bits=99",
      "client_max_window_bits=7",
      "client_max_window_bits=x",
      "constructor",
      "__proto__=1",
      "toString",
    ]
  ) {
    test(`H-65 declines an offer with ${params}, and takes the next one (H-66)`, () => {
      const offer = `${PMD}; ${params}`;
      assertEquals(answer(offer), null);
      assertEquals(answer(`${offer}, ${PMD}`), " = server 15 client 15");
      assertEquals(
        answer(`${offer}, ${offer}, ${PMD}; client_no_context_takeover, ${PMD}`),
        "client_no_context_takeover = server 15 client alone 15",
      );
    });
  }

  test("R-21 knows no other extension, nor another case of the name", () => {
    for (const offers of ["", "x-webkit-deflate-frame", "Permessage-Deflate", "constructor"]) {
      assertEquals(answer(offers), null);
    }
    assertEquals(answer(`x-foo; a=1, ${PMD}`), " = server 15 client 15");
  });

  test("leaves errors that are not the offer's alone", () => {
    const offer = { name: PMD, params: null as unknown as [] };
    assertThrows(() => acceptDeflate([offer], TAKEOVER), TypeError);
  });
});

describe("offerDeflate()", () => {
  for (
    const [wish, expected] of [
      [TAKEOVER, "client_max_window_bits"],
      [NO_TAKEOVER, `${NEITHER}; client_max_window_bits`],
      [
        { contextTakeover: true, windowBits: 10 },
        "server_max_window_bits=10; client_max_window_bits=10",
      ],
      [
        { contextTakeover: false, windowBits: 8 },
        `${NEITHER}; server_max_window_bits=8; client_max_window_bits=8`,
      ],
    ] as const
  ) {
    test(`offers ${expected}`, () => {
      assertEquals(formatExtensions([offerDeflate(wish)]), `${PMD}; ${expected}`);
    });
  }

  test("is accepted by acceptDeflate(), and its answer by checkDeflate()", () => {
    for (const contextTakeover of [true, false]) {
      for (let ours = 8; ours <= 15; ours++) {
        for (let theirs = 8; theirs <= 15; theirs++) {
          const offer = offerDeflate({ contextTakeover, windowBits: ours });
          const accepted = acceptDeflate([offer], { contextTakeover: true, windowBits: theirs })!;
          const params = checkDeflate(accepted.answer, offer);
          assertEquals(params, accepted.params);
          assertEquals(params.serverMaxWindowBits, Math.min(ours, theirs));
          assertEquals(params.clientMaxWindowBits, Math.min(ours, theirs));
          assertEquals(params.clientNoContextTakeover, !contextTakeover);
        }
      }
    }
  });
});

describe("checkDeflate()", () => {
  const OFFER = offerDeflate(TAKEOVER);
  const check = (params: string, offer = OFFER): unknown =>
    checkDeflate(parseExtensions(params === "" ? PMD : `${PMD}; ${params}`)[0], offer);

  test("reads every parameter that a server may answer with", () => {
    const DEFAULTS = {
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 15,
    };
    assertEquals(check(""), DEFAULTS);
    // Unasked, and obeyed.
    assertEquals(check("client_no_context_takeover"), {
      ...DEFAULTS,
      clientNoContextTakeover: true,
    });
    assertEquals(check("server_no_context_takeover"), {
      ...DEFAULTS,
      serverNoContextTakeover: true,
    });
    for (let bits = 8; bits <= 15; bits++) {
      assertEquals(check(`server_max_window_bits=${bits}; client_max_window_bits=${bits}`), {
        ...DEFAULTS,
        serverMaxWindowBits: bits,
        clientMaxWindowBits: bits,
      });
    }
  });

  test("keeps what was offered, whether it is repeated or not", () => {
    const offer = offerDeflate({ contextTakeover: false, windowBits: 10 });
    assertEquals(check("server_no_context_takeover; server_max_window_bits=9", offer), {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 9,
      clientMaxWindowBits: 10,
    });
  });

  for (
    const [params, message] of [
      ["foo=1", 'parameter "foo" is unknown'],
      [
        "client_no_context_takeover; client_no_context_takeover",
        'parameter "client_no_context_takeover" stands there twice',
      ],
      ["server_no_context_takeover=1", "parameter server_no_context_takeover has a value"],
      [
        "server_max_window_bits",
        'parameter server_max_window_bits is "", not a number from 8 to 15',
      ],
      [
        "server_max_window_bits=1000",
        'parameter server_max_window_bits is "1000", not a number from 8 to 15',
      ],
      [
        "server_max_window_bits=7",
        'parameter server_max_window_bits is "7", not a number from 8 to 15',
      ],
      [
        "server_max_window_bits=08",
        'parameter server_max_window_bits is "08", not a number from 8 to 15',
      ],
      ["client_max_window_bits", "client_max_window_bits has no value"],
      [
        "client_max_window_bits=16",
        'parameter client_max_window_bits is "16", not a number from 8 to 15',
      ],
    ]
  ) {
    test(`R-22 fails for ${params}`, () => {
      assertThrows(
        () => check(params),
        HandshakeError,
        `Cannot accept the response: permessage-deflate: ${message}`,
      );
    });
  }

  test("R-22 fails for more than was offered", () => {
    const small = offerDeflate({ contextTakeover: false, windowBits: 10 });
    const fails = (params: string, message: string, offer = small): void => {
      assertThrows(() => check(params, offer), HandshakeError, message);
    };
    fails("server_max_window_bits=10", "server_no_context_takeover was asked for and is missing");
    fails(NEITHER, "server_max_window_bits was asked for and is missing");
    fails(`${NEITHER}; server_max_window_bits=11`, "server_max_window_bits is 11, more than 10");
    fails(
      `${NEITHER}; server_max_window_bits=10; client_max_window_bits=11`,
      "client_max_window_bits is 11, more than 10",
    );
    const silent = { name: PMD, params: [] };
    fails("client_max_window_bits=10", "client_max_window_bits was not offered", silent);
  });

  test("leaves errors that are not the answer's alone", () => {
    const wrong = { name: PMD, params: null as unknown as [] };
    assertThrows(() => checkDeflate(wrong, OFFER), TypeError);
  });
});
