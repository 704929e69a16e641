"""Voice that runs through a TURN server: a real coturn, with the credentials that the real server gives."""

import pathlib
import shutil
import subprocess
import unittest

from harness import BOB, Demo, Served, bubble, expect, free_port, until
from talking import TalkTest

COTURN = shutil.which("turnserver")
SECRET = "a-secret-of-this-test"

# Nothing but what a relay gives is used: as between two networks that let nothing through.
RELAY_ONLY = """
const Direct = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Direct {
  constructor(configuration) { super({ ...configuration, iceTransportPolicy: "relay" }); }
};
"""

# The kinds of the two ends of each path in use, and by what protocol this end reaches its relay.
PATHS = """async () => {
  const paths = [];
  for (const one of window.connections) {
    if (one.connectionState !== "connected") continue;
    const reports = await one.getStats();
    for (const report of reports.values()) {
      if (report.type !== "candidate-pair" || report.state !== "succeeded" || !report.nominated) continue;
      const [local, remote] = [reports.get(report.localCandidateId), reports.get(report.remoteCandidateId)];
      paths.push([local.candidateType, remote.candidateType, local.relayProtocol]);
    }
  }
  return paths;
}"""

# What candidates a connection finds with some servers.
GATHER = """async (iceServers) => {
  const connection = new RTCPeerConnection({ iceServers });
  const found = [];
  connection.onicecandidate = ({ candidate }) => candidate?.type && found.push(candidate.type);
  connection.addTransceiver("audio");
  await connection.setLocalDescription(await connection.createOffer());
  while (connection.iceGatheringState !== "complete") await new Promise((resume) => setTimeout(resume, 50));
  connection.close();
  return found;
}"""

# What the server tells the device of relays, as the page asks it.
ICE = """async () => {
  const connection = window.connections.at(-1);
  return connection.getConfiguration().iceServers;
}"""


class Relay:
    """A TURN server on loopback, with its files in a folder."""

    def __init__(self, folder: pathlib.Path):
        self.port = free_port()
        self.log = folder / "turn.log"
        self.output = open(self.log, "w")
        self.process = subprocess.Popen(
            [
                COTURN, "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={self.port}",
                "--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=demo.example", "--verbose",
                "--no-tls", "--no-dtls", "--no-cli", "--allow-loopback-peers", "--log-file=stdout",
                f"--pidfile={folder}/turn.pid", f"--userdb={folder}/turndb",
            ],
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        until("the relay listens", lambda: "listener opened on" in self.said or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise AssertionError(f"the relay did not start: {self.said[-2000:]}")

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self.output.close()


class BesideRelay(Served):
    """A server whose configuration names a relay."""

    def configuration(self, folder: pathlib.Path) -> str:
        self.relay = Relay(folder)
        return f"media:\n  turn: ['turn:127.0.0.1:{self.relay.port}?transport=udp']\n  turn-secret: {SECRET}\n"

    def end(self) -> None:
        self.relay.end()
        super().end()


@unittest.skipUnless(COTURN, "there is no coturn")
class Relayed(TalkTest):
    def server(self) -> Demo:
        return BesideRelay()

    def setUp(self) -> None:
        super().setUp()
        self.context.add_init_script(RELAY_ONLY)

    def test_voice_through_the_relay_with_credentials_that_pass(self):
        for name in ("alice", "bob"):
            self.account(name)
        alice, bob = self.sign_in("alice", "Alice's laptop"), self.sign_in("bob", "Bob's laptop")
        self.ask(alice, BOB, "Talk with voice")
        self.accept(bob)
        for page in (alice, bob):
            self.grows(page, "audio")
            # Sound runs before the path is settled for good.
            until("a path is chosen", lambda page=page: page.evaluate(PATHS))
            self.assertEqual(page.evaluate(PATHS), [["relay", "relay", "udp"]])
        # Each end has a place at the relay, under the name that passes with its time.
        server = alice.evaluate(ICE)[0]
        self.assertRegex(server["username"], r"^\d{10}:\d+-\d+$")
        said = self.demo.relay.said
        for page in (alice, bob):
            self.assertIn(f"<{page.evaluate(ICE)[0]['username']}>", said)
        # Whoever has no credential, or a wrong one, gets nothing there.
        self.assertIn("relay", alice.evaluate(GATHER, [server]))
        self.assertNotIn("relay", alice.evaluate(GATHER, [{**server, "credential": "guessed"}]))
        late = {**server, "username": f"{1_000_000_000}:{server['username'].split(':')[1]}"}
        self.assertNotIn("relay", alice.evaluate(GATHER, [late]))
        self.assertNotIn(SECRET, (pathlib.Path(self.demo.folder.name) / "log").read_text())

        # The relay goes: the voice ends on both sides, and the conversation stays.
        self.demo.relay.process.kill()
        for page in (alice, bob):
            expect(self.live(page).locator("[data-medium]")).to_have_count(0, timeout=60_000)
        self.say(alice, "Can you still hear me?")
        expect(bubble(bob, "Can you still hear me?")).to_be_visible()


if __name__ == "__main__":
    unittest.main()
