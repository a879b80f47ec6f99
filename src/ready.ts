/**
 * What `send()` returns when there is nothing to wait for: one promise for all, so that a handler that
 * returns it does not make the next message wait for nothing.
 *
 * @module
 */

/** Has resolved. */
export const READY: Promise<void> = Promise.resolve();
