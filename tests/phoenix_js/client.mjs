// The official Phoenix client, driven over stdin: one JSON command a line in, one JSON answer or event a line out.
import { createInterface } from "node:readline";
import { Socket } from "phoenix";
import WebSocket from "ws";

const [url, apiKey, name] = process.argv.slice(2);
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

const socket = new Socket(url, {
  transport: WebSocket,
  params: { api_key: apiKey, agent: { name, framework: "phoenix.js", capabilities: ["listen", "speak"] } },
});
socket.onOpen(() => say({ did: "open" }));
socket.onClose((event) => say({ did: "close", code: event.code }));

let channel;
const commands = {
  join() {
    channel = socket.channel("fleet:lobby", { payload: { state: "busy" } });
    for (const event of ["activity:broadcast", "presence:joined", "presence:left", "presence:roster"]) {
      channel.on(event, (payload) => say({ heard: event, payload }));
    }
    channel.onError(() => say({ did: "channel-error" }));
    channel.onClose(() => say({ did: "channel-closed" }));
    channel.join()
      .receive("ok", (response) => say({ did: "joined", response }))
      .receive("error", (response) => say({ did: "refused", response }));
  },
  push({ event, payload }) {
    channel.push(event, payload)
      .receive("ok", (response) => say({ did: "pushed", response }))
      .receive("error", (response) => say({ did: "push-refused", response }));
  },
  leave() {
    channel.leave().receive("ok", () => say({ did: "left" }));
  },
  disconnect() {
    socket.disconnect(() => process.exit(0));
  },
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const { command, ...rest } = JSON.parse(line);
  commands[command](rest);
});
socket.connect();
