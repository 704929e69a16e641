import MSRP
import NIOCore

/// Checks that hold for any octets; the smoke test and the fuzzer run the same ones.
enum FrameCheck {
    /// What a parser says, in a form that does not depend on how a body is cut into slices.
    private struct Record: Equatable {
        var frames: [String] = []
        var bodies: [[UInt8]] = []
        var error: MSRPError?

        mutating func take(_ event: FrameEvent) {
            switch event {
            case .head(let head):
                self.frames.append(
                    "\(head.startLine) \(head.transactionID) \(head.hasBody) \(head.bytes.readableBytes)"
                )
                self.bodies.append([])
            case .body(let bytes): self.bodies[self.bodies.count - 1] += bytes.readableBytesView
            case .end(let flag): self.frames.append("\(flag)")
            }
        }
    }

    /// The first octet says how the rest is split.
    ///
    /// However it is, the parser says the same; nothing that a head can be asked for traps; what is printed anew is
    /// read as it was; and a session survives all of it.
    static func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let bytes = Array(input.dropFirst())
        let whole = self.record(bytes, size: max(1, bytes.count))
        let split = self.record(bytes, size: Int(first) + 1)
        precondition(whole.error == split.error, "the split changes the error")
        if whole.error == nil { precondition(whole == split, "the split changes what is found") }
        self.session(bytes, size: Int(first) + 1)
    }

    private static func record(_ bytes: [UInt8], size: Int) -> Record {
        var parser = FrameParser()
        var record = Record()
        var position = 0
        do throws(MSRPError) {
            while position < bytes.count {
                let end = min(position + size, bytes.count)
                parser.append(ByteBuffer(bytes: bytes[position..<end]))
                position = end
                while let event = try parser.next() {
                    record.take(event)
                    if case .head(let head) = event { self.ask(head) }
                }
            }
        } catch {
            record.error = error
        }
        return record
    }

    private static func ask(_ head: FrameHead) {
        _ = try? head.validate()
        _ = head.contentType
        for name in ["Use-Path", "WWW-Authenticate", "to-path", "", "Content-Type"] {
            guard let value = head.header(named: name) else { continue }
            _ = try? DigestChallenge(parsing: value)
            _ = try? MSRPURI.path(parsing: value)
        }
        guard head.method != nil, let response = try? Frame.response(.ok, to: head) else { return }
        var printed = ByteBuffer()
        do {
            try response.write(into: &printed)
        } catch { preconditionFailure("a response cannot be printed: \(error)") }
        var parser = FrameParser()
        parser.append(printed)
        guard case .head(let again)? = try? parser.next(), again.transactionID == head.transactionID,
            (try? again.toPath()) == response.toPath, (try? again.fromPath()) == response.fromPath
        else { preconditionFailure("a response is not read as it was printed") }
    }

    private static func session(_ bytes: [UInt8], size: Int) {
        guard let bob = try? MSRPURI(parsing: "msrp://b.example.com:2855/bbb;tcp"),
            let alice = try? MSRPURI(parsing: "msrp://a.example.com:7654/aaa;tcp")
        else { preconditionFailure("a URI is not read") }
        var configuration = Session.Configuration(local: bob, remotePath: [alice], role: .passive, seed: 1)
        configuration.limits.maxIncompleteMessages = 4
        configuration.limits.maxOutOfOrderBytes = 1024
        configuration.limits.maxMessageBytes = 1 << 20
        var session = Session(configuration)
        session.established()
        var parser = FrameParser()
        var output = FrameOutput(framing: .stream)
        var position = 0
        while position < bytes.count {
            let end = min(position + size, bytes.count)
            parser.append(ByteBuffer(bytes: bytes[position..<end]))
            position = end
            while let event = try? parser.next() {
                switch event {
                case .head(let head): _ = try? session.receivedHead(head, now: .uptimeNanoseconds(0), into: &output)
                case .body(let body):
                    var action = session.receivedBody(body, into: &output)
                    while case .deliver = action { action = session.takeReady() }
                case .end(let flag): _ = session.receivedEnd(flag, into: &output)
                }
                precondition(session.incompleteCount <= 4, "more messages than the limit")
            }
        }
        _ = output.take()
    }
}
