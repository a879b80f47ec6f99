/** CRC-32, as in PNG, zip and gzip: bytes in, a number out, in as many pieces as they come. @module */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** The checksum of all bytes so far, `bytes` being the last of them; before the first it is 0. */
export function updateCrc32(crc: number, bytes: Uint8Array): number {
  let value = ~crc;
  for (let i = 0; i < bytes.length; i++) value = TABLE[(value ^ bytes[i]) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

/** The checksum as people compare it: eight hexadecimal digits. */
export function formatCrc32(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}
