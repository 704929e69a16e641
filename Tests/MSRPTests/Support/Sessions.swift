import MSRP
import NIOCore

extension MSRPURI {
    static let alice = MSRPURI.known("msrp://a.example.com:7654/aaa;tcp")
    static let bob = MSRPURI.known("msrp://b.example.com:2855/bbb;tcp")

    static func known(_ text: String) -> MSRPURI {
        do { return try MSRPURI(parsing: text) } catch { fatalError("\(text): \(error)") }
    }
}

let connection = ConnectionID(1)

extension Session {
    /// A passive session of Bob's, whose peer is Alice, already bound.
    static func bound(
        local: MSRPURI = .bob,
        remote: [MSRPURI] = [.alice],
        limits: MSRPLimits = .init(),
        acceptance: Acceptance = .automatic,
        acceptTypes: AcceptTypes = .all
    ) -> Session {
        var configuration = Configuration(local: local, remotePath: remote, role: .passive, seed: 7)
        configuration.limits = limits
        configuration.acceptance = acceptance
        configuration.acceptTypes = acceptTypes
        var session = Session(configuration)
        _ = session.lifecycle.start(now: .uptimeNanoseconds(0))
        _ = session.lifecycle.requestReceived(on: connection)
        session.established()
        return session
    }
}

/// What a session does with octets, in the order in which it does it.
struct Driven {
    var events: [String] = []
    var contents: [MessageID: [UInt8]] = [:]
    var completed: [MessageID] = []
    var aborted: [MessageID] = []
    var answers: [MessageSender.OnAnswer] = []
    var unanswerable: [MSRPError] = []

    /// Lets a session take whole frames.
    mutating func feed(
        _ bytes: [UInt8],
        to session: inout Session,
        now: NIODeadline,
        into output: inout FrameOutput
    )
        throws
    {
        var parser = FrameParser()
        parser.append(ByteBuffer(bytes: bytes))
        while let event = try parser.next() {
            switch event {
            case .head(let head): self.head(head, &session, now, &output)
            case .body(let bytes):
                var action = session.receivedBody(bytes, into: &output)
                while case .deliver(let id, let offset, let content) = action {
                    self.deliver(id, offset, content)
                    action = session.takeReady()
                }
                if case .stop(let id, let status) = action { self.events.append("stop \(id) \(status.rawValue)") }
            case .end(let flag):
                switch session.receivedEnd(flag, into: &output) {
                case .nothing: break
                case .completed(let id, let size):
                    self.events.append("completed \(id) \(size)")
                    self.completed.append(id)
                case .aborted(let id):
                    self.events.append("aborted \(id)")
                    self.aborted.append(id)
                }
            }
        }
    }

    private mutating func head(
        _ head: FrameHead,
        _ session: inout Session,
        _ now: NIODeadline,
        _ output: inout FrameOutput
    ) {
        do throws(MSRPError) {
            switch try session.receivedHead(head, now: now, into: &output) {
            case .nothing: break
            case .began(let incoming): self.events.append("began \(incoming.id) \(incoming.contentType)")
            case .answer(let answer): self.answers.append(answer)
            case .bound(let action): self.events.append("bound \(action)")
            }
        } catch {
            self.unanswerable.append(error)
        }
    }

    private mutating func deliver(_ id: MessageID, _ offset: UInt64, _ content: ByteBuffer) {
        let known = self.contents[id, default: []]
        // In order and without gaps, or not at all.
        precondition(UInt64(known.count) == offset, "octet \(offset) of \(id) after \(known.count)")
        self.contents[id] = known + Array(content.readableBytesView)
    }
}
