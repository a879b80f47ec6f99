/**
 * Masking keys: fresh and unpredictable for each frame (RFC 6455 section 5.3), drawn from the
 * runtime's cryptographic source many at a time.
 *
 * @module
 */

/** Shared by all clients: what one has used, no other gets. */
const pool = new Uint32Array(1024);
let used = pool.length;

/** The next masking key. */
export function nextMaskKey(): number {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  return pool[used++];
}
