/**
 * Certificates for one run of the tests: an authority, and a server's certificate signed by it for
 * `localhost` and `127.0.0.1`. X.509 in DER by hand, signed by Web Crypto, so that nothing has to
 * be installed.
 *
 * @module
 */

/** PEM texts. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

type Der = readonly number[];

/** One DER element: tag, length, contents. */
function der(tag: number, ...contents: readonly Der[]): Der {
  const body = contents.flat();
  const { length } = body;
  const size = length < 128
    ? [length]
    : length < 256
    ? [0x81, length]
    : [0x82, length >> 8, length & 255];
  return [tag, ...size, ...body];
}

const sequence = (...contents: readonly Der[]): Der => der(0x30, ...contents);
const octets = (contents: Der): Der => der(0x04, contents);
const bits = (contents: Der): Der => der(0x03, [0, ...contents]);
const integer = (...bytes: number[]): Der => der(0x02, bytes);
const text = (value: string): Der => der(0x0c, [...new TextEncoder().encode(value)]);
const TRUE: Der = [0x01, 0x01, 0xff];

/** An object identifier whose parts are below 2^14. */
function oid(dotted: string): Der {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const parts = rest.flatMap((part) => {
    const groups = [part & 127];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 127) | 128);
    return groups;
  });
  return der(0x06, [first * 40 + second, ...parts]);
}

function time(date: Date): Der {
  const digits = date.toISOString().replace(/[-:T]|\..*/g, "").slice(2);
  return der(0x17, [...new TextEncoder().encode(`${digits}Z`)]);
}

const ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const name = (value: string): Der => sequence(der(0x31, sequence(oid("2.5.4.3"), text(value))));

function extension(id: string, isCritical: boolean, value: Der): Der {
  return sequence(oid(id), ...(isCritical ? [TRUE] : []), octets(value));
}

const CA_EXTENSIONS = [
  extension("2.5.29.19", true, sequence(TRUE)), // basicConstraints: an authority
  extension("2.5.29.15", true, der(0x03, [1, 0x06])), // keyUsage: signs certificates
];
const NAME: Der = der(0x82, [...new TextEncoder().encode("localhost")]);
const ADDRESS: Der = der(0x87, [127, 0, 0, 1]);

function serverExtensions(names: readonly Der[]): Der[] {
  return [
    extension("2.5.29.19", true, sequence()),
    extension("2.5.29.15", true, der(0x03, [7, 0x80])), // keyUsage: digital signature
    // extKeyUsage: for servers, and for clients
    extension("2.5.29.37", false, sequence(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2"))),
    extension("2.5.29.17", false, sequence(...names)),
  ];
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };

async function createKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as CryptoKeyPair;
}

async function createCertificate(
  serial: number,
  subject: string,
  publicKey: CryptoKey,
  issuerKey: CryptoKey,
  extensions: readonly Der[],
  days: number = 7,
): Promise<Der> {
  const day = 86_400_000;
  const now = Date.now();
  const validity = sequence(time(new Date(now - 3 * day)), time(new Date(now + days * day)));
  const spki = [...new Uint8Array(await crypto.subtle.exportKey("spki", publicKey))];
  const body = sequence(
    der(0xa0, integer(2)),
    integer(serial),
    ECDSA_SHA256,
    name("Twoway test authority"),
    validity,
    name(subject),
    spki,
    der(0xa3, sequence(...extensions)),
  );
  const signature = await crypto.subtle.sign(
    { name: "ECDSA", hash: "SHA-256" },
    issuerKey,
    Uint8Array.from(body),
  );
  return sequence(body, ECDSA_SHA256, bits(encodeSignature(new Uint8Array(signature))));
}

/** Web Crypto gives r and s side by side; X.509 wants them as two integers. */
function encodeSignature(signature: Uint8Array): Der {
  const half = (bytes: Uint8Array): Der => {
    let start = 0;
    while (start < bytes.length - 1 && bytes[start] === 0) start++;
    const digits = [...bytes.subarray(start)];
    return integer(...(digits[0] >= 128 ? [0, ...digits] : digits));
  };
  return sequence(half(signature.subarray(0, 32)), half(signature.subarray(32)));
}

function pem(label: string, bytes: Uint8Array | Der): string {
  const base64 = btoa(String.fromCharCode(...bytes)).replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
}

/** What may be wrong with a certificate. */
export interface CertificateOptions {
  /** Days from now until it expires; negative if it has. @default {7} */
  readonly days?: number;
  /** Whether it is for `localhost` alone, not for `127.0.0.1`. */
  readonly withoutAddress?: boolean;
}

/** Makes an authority and a certificate for this run. */
export async function createCertificates(
  { days, withoutAddress = false }: CertificateOptions = {},
): Promise<Certificates> {
  const [authority, server] = [await createKeys(), await createKeys()];
  const sign = authority.privateKey;
  const ca = await createCertificate(
    1,
    "Twoway test authority",
    authority.publicKey,
    sign,
    CA_EXTENSIONS,
  );
  const cert = await createCertificate(
    2,
    "localhost",
    server.publicKey,
    sign,
    serverExtensions(withoutAddress ? [NAME] : [NAME, ADDRESS]),
    days,
  );
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", server.privateKey));
  return {
    ca: pem("CERTIFICATE", ca),
    cert: pem("CERTIFICATE", cert),
    key: pem("PRIVATE KEY", key),
  };
}
