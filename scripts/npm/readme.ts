/** The README's first program, made to run anywhere. Pure. @module */

const FIRST_PROGRAM = /^```ts\n([\s\S]*?)^```/m;

/** A client for a server that the program above it has started as `server`; says `ok`. */
const CLIENT = `
const { connect } = await import("NAME");
const session = await connect("ws://127.0.0.1:" + server.addr.port);
await session.send("hello");
const answer = await session.receive();
if (answer !== "hello") throw new Error("received " + answer);
await session.close();
await server.shutdown();
console.log("ok");
`;

/**
 * The server with which the README begins, importing the package by its name, on a port of the
 * system's choice, and with a client that ends it.
 */
export function readmeProgram(readme: string, name: string): string {
  const program = FIRST_PROGRAM.exec(readme)?.[1];
  if (!program?.includes("serve(")) throw new Error("The README begins with no server");
  const named = program.replace(/(?<=from )"\.\/mod\.ts"/, JSON.stringify(name));
  const moved = named.replace(/(?<=port: )\d+/, "0");
  if (!moved.includes(`from "${name}"`) || !moved.includes("port: 0")) {
    throw new Error(
      `The README's server names neither ./mod.ts or ${name}, or no port\n${program}`,
    );
  }
  return moved + CLIENT.replace("NAME", name);
}
