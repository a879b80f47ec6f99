/** JSON messages as an application sends them: alike in shape, different in content. @module */

const WORDS = ("order shipped pending invoice customer delivery address payment refund express " +
  "standard warehouse carrier tracking fragile returned confirmed cancelled gift discount berlin " +
  "madrid helsinki nairobi osaka quito blue green small large cotton steel wooden paper").split(
    " ",
  );

/** Numbers below `limit`, the same ones for the same seed (a linear congruential generator). */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * limit);
  };
}

/** One event with its items. */
function record(id: number, random: (limit: number) => number): object {
  const word = (): string => WORDS[random(WORDS.length)];
  return {
    id: 4_200_000 + id * 17 + random(17),
    type: `${word()}.${word()}`,
    at: new Date(1_767_225_600_000 + random(2 ** 31)).toISOString(),
    user: { name: `${word()}_${random(10_000)}`, session: random(2 ** 32).toString(36) },
    amount: random(100_000) / 100,
    position: [random(180_000_000) / 1e6 - 90, random(360_000_000) / 1e6 - 180],
    isPaid: random(2) === 1,
    items: Array.from({ length: 3 + random(3) }, () => ({
      sku: random(2 ** 32).toString(16).padStart(8, "0"),
      title: `${word()} ${word()} ${word()}`,
      quantity: 1 + random(9),
      price: random(10_000) / 100,
    })),
  };
}

/** `count` different JSON texts of exactly `size` bytes each, all of them ASCII. */
export function jsonMessages(size: number, count: number, seed = 1): string[] {
  const random = randomFrom(seed);
  let id = 0;
  return Array.from({ length: count }, () => {
    let events = "";
    const head = '{"events":[';
    for (;;) {
      const next = JSON.stringify(record(id++, random));
      const length = head.length + events.length + next.length + '],"note":""}'.length + 1;
      if (length > size) break;
      events += events === "" ? next : `,${next}`;
    }
    // Filled up with words, which compress about as well as the rest.
    let note = "";
    const room = size - head.length - events.length - '],"note":""}'.length;
    while (note.length < room) note += `${WORDS[random(WORDS.length)]} `;
    return `${head}${events}],"note":"${note.slice(0, room)}"}`;
  });
}
