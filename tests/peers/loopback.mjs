// Loaded before a server's own code (node --import): whatever it listens on becomes an ephemeral port of 127.0.0.1,
// and the port is printed. For servers that know no other address than all of the machine's.
import net from "node:net";

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  const ready = given.find((argument) => typeof argument === "function");
  this.once("listening", () => console.log(JSON.stringify({ port: this.address().port })));
  return listen.call(this, { port: 0, host: "127.0.0.1" }, ready);
};
