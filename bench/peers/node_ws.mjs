// A fleet hub in the fewest lines of Node: the peer that the benchmark measures beside the hub.
// Speaks the Phoenix V2 frames of the reference server; keeps nothing, checks nobody.
// Usage: node node_ws.mjs PORT
import { WebSocketServer } from "ws";

const members = new Map(); // topic -> Set of sockets
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  perMessageDeflate: false,
  backlog: 4096,
});

function membersOf(topic) {
  if (!members.has(topic)) members.set(topic, new Set());
  return members.get(topic);
}

function broadcast(topic, event, payload) {
  const frame = JSON.stringify([null, null, topic, event, payload]); // once, not per member
  for (const member of membersOf(topic)) member.send(frame);
}

function onPush(socket, [joinRef, ref, topic, event, payload]) {
  if (event === "phx_join") membersOf(topic).add(socket);
  else if (event.endsWith("broadcast")) broadcast(topic, event, payload);
  socket.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response: {} }]));
}

server.on("connection", (socket) => {
  socket.on("message", (data) => onPush(socket, JSON.parse(data)));
  socket.on("close", () => members.forEach((topic) => topic.delete(socket)));
  socket.on("error", () => socket.terminate());
});
