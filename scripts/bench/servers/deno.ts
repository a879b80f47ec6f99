/** Deno's own echo server. @module */

import process from "node:process";

const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => socket.send(data);
  return response;
});
console.log(server.addr.port);
process.stdin.resume().on("end", () => process.exit()); // with whoever started it
