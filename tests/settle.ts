/** Lets promises, and the work that they start, settle. @module */

/** Three turns of the event loop, with time for sockets. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }
}
