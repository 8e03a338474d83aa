// Plays what it is told against a gateway: node client.mjs URL OPTIONS, then a JSON line a command on standard input
// ({"emit": [...], "ack": true} or {"close": true}); writes a JSON line for whatever happens.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const say = (what, ...rest) => console.log(JSON.stringify([what, ...rest]));
const socket = io(process.argv[2], { transports: ["websocket"], ...JSON.parse(process.argv[3] ?? "{}") });
socket.on("connect", () => say("connect"));
socket.on("connect_error", (error) => say("connect_error", error.message));
socket.on("disconnect", (reason) => say("disconnect", reason));
socket.onAny((event, ...values) => say("event", event, ...values));
createInterface({ input: process.stdin }).on("line", (line) => {
  const told = JSON.parse(line);
  if (told.close) socket.disconnect();
  else if (told.ack) socket.emit(...told.emit, (...values) => say("ack", ...values));
  else socket.emit(...told.emit);
});
