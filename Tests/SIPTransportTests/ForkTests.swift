import Foundation
import NIOCore
import NIOPosix
import SIP
import SIPTransport
import Testing

/// SIPp plays a network that forks an INVITE of ours.
@Suite("A forked INVITE against SIPp", .enabled(if: SIPp.path != nil), .timeLimit(.minutes(5)))
struct ForkTests {
    @Test("The first answer is the call, its repetition is acknowledged again, a later answer is ended")
    func fork() async throws {
        let port = try await Self.freePort()
        async let played = SIPp.answer("fork", port: port)
        let node = try await Node.make()
        _ = try await node.listen(.udp)
        let target = SIPStack.Target.destinations([
            Destination(transport: .udp, address: try SocketAddress(ipAddress: "127.0.0.1", port: port))
        ])
        let caller = Caller(stack: node.stack, target: target, loop: node.loop)
        try await node.run { caller.call() }
        try await caller.ended.futureResult.get()
        let output = try await played
        #expect(output.status == 0, "\(output.text)")
        let actions = try await node.run { caller.actions }
        #expect(
            actions == ["early first", "early second", "answered second", "again second", "too late first"],
            "\(output.text)"
        )
        try await node.close()
    }

    private static func freePort() async throws -> Int {
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return port
    }
}

/// Calls, does what the dialogs ask for, and hangs up once the late answer was ended.
///
/// Runs on the event loop of its stack.
private final class Caller: @unchecked Sendable {
    let ended: EventLoopPromise<Void>
    private(set) var actions: [String] = []
    private let stack: SIPStack
    private let target: SIPStack.Target
    private var dialogs = DialogSet(request: Requests.make(.invite))

    init(stack: SIPStack, target: SIPStack.Target, loop: any EventLoop) {
        self.stack = stack
        self.target = target
        self.ended = loop.makePromise()
    }

    func call() {
        self.stack.send(self.dialogs.request, to: self.target) { _, event in
            guard case .response(let response) = event else {
                self.ended.fail(SIPError(.notAllowed, "nobody answered"))
                return
            }
            do {
                try self.take(response)
            } catch {
                self.ended.fail(error)
            }
        }
    }

    private func take(_ response: SIPMessage) throws {
        switch try self.dialogs.received(response) {
        case .early(let id):
            self.note("early", id)
        case .answered(let id):
            self.note("answered", id)
            self.acknowledge(id)
        case .acknowledgeAgain(let id):
            self.note("again", id)
            self.acknowledge(id)
        case .acknowledgeAndEnd(let id):
            self.note("too late", id)
            self.acknowledge(id)
            try self.hangUp(id) {
                guard let tag = self.dialogs.answeredTag else { return }
                try self.hangUp(DialogID(callID: id.callID, localTag: id.localTag, remoteTag: tag)) {
                    self.ended.succeed()
                }
            }
        case .none, .progress, .failed, .tooManyDialogs:
            break
        }
    }

    private func note(_ what: String, _ id: DialogID) { self.actions.append("\(what) \(id.remoteTag)") }

    private func acknowledge(_ id: DialogID) {
        guard let dialog = self.dialogs[id] else { return }
        self.stack.sendStateless(dialog.makeAcknowledgement(inviteNumber: 1), to: self.target)
    }

    private func hangUp(_ id: DialogID, then next: @escaping () throws -> Void) throws {
        guard let bye = try self.dialogs[id]?.makeRequest(.bye) else { return }
        self.stack.send(bye, to: self.target) { _, event in
            do {
                guard event.response?.status == 200 else { throw SIPError(.notAllowed, "BYE was refused") }
                try next()
            } catch {
                self.ended.fail(error)
            }
        }
    }
}
