import NIOCore
import SIP

/// What the SIP library costs in memory, one message after another on one thread.
enum SIPFigures {
    static func run(_ runs: Int) async -> [Figure] {
        [
            await Self.measure("sip.parse_us", runs, count: 200_000, Self.parse),
            await Self.measure("sip.typed_us", runs, count: 50_000, Self.typed),
            await Self.measure("sip.forward_us", runs, count: 50_000, Self.forward),
            await Self.measure("sip.message_200_us", runs, count: 50_000, Self.answer),
        ]
    }

    /// A MESSAGE of the size and with the header fields of a converged messaging client.
    static let message: ByteBuffer = {
        var request = SIPMessage(method: .message, uri: "sip:alice@home.example")
        request.append(.via, "SIP/2.0/UDP bob-pc.example:5060;branch=z9hG4bK7c1a9d8e77fb1;rport")
        request.append(.via, "SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK19283747c1a9d8;received=192.0.2.4")
        request.append(.maxForwards, "70")
        request.append(.from, "\"Bob Example\" <sip:bob@home.example>;tag=5a1f77e9")
        request.append(.to, "<sip:alice@home.example>")
        request.append(.callID, "4b1c77f0aa9911e0@bob-pc.example")
        request.append(.cSeq, "1 MESSAGE")
        request.append(.conversationID, "8f6d1a9e-6f2b-4a38-9c11-52a1f6f0a001")
        request.append(.contributionID, "3c0e77c2-0a7e-4c5e-9d0e-2d36b1a0b002")
        request.append(.pPreferredIdentity, "<sip:bob@home.example>")
        request.append(.pPreferredService, "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg")
        request.append(.acceptContact, "*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg\"")
        request.append(.userAgent, "bench")
        request.setBody(ByteBuffer(string: String(repeating: "x", count: 450)), contentType: "message/cpim")
        return request.serialized()
    }()

    /// Start line and header fields, and the places of what routing needs; no text is made of any of it.
    private static func parse() -> Int {
        guard case .message(let message) = SIPMessage.read(Self.message) else { return 0 }
        return message.fieldCount + (message.contains(.route) ? 1 : 0) + (message.method == .message ? 1 : 0)
    }

    /// The same with the values that a proxy or registrar decodes, as values.
    private static func typed() -> Int {
        guard case .message(let message) = SIPMessage.read(Self.message), let uri = try? message.requestURI(),
            let via = try? message.topVia(), let from = try? message.from(), let to = try? message.to(),
            let sequence = try? message.cSeq(), let hops = try? message.maxForwards(),
            let call = try? message.callID()
        else { return 0 }
        return uri.description.utf8.count + via.parameters.items.count + from.parameters.items.count
            + to.parameters.items.count + Int(sequence.number) + Int(hops) + call.utf8.count
    }

    /// Through a stateless proxy, to the bytes that leave it.
    private static func forward() -> Int {
        guard case .message(let message) = SIPMessage.read(Self.message) else { return 0 }
        let proxy = ProxyCore(sentBy: HostPort(host: "p.example"), ownAddresses: [], secret: "s")
        let how = ProxyCore.Forward(transport: "UDP", sentBy: HostPort(host: "p.example"), unique: "u")
        return (try? proxy.forward(message, how))?.serialized().readableBytes ?? 0
    }

    /// A request through its server transaction to the printed 200.
    private static func answer() -> Int {
        guard case .message(let message) = SIPMessage.read(Self.message), let via = try? message.topVia(),
            let key = try? ServerTransactionKey(message, via: via, method: .message)
        else { return 0 }
        var transaction = NonInviteServerTransaction(isReliable: false)
        let response = SIPMessage(200, to: message, toTag: "abcdefgh")
        guard transaction.send(.success, now: .uptimeNanoseconds(0)) == .send else { return 0 }
        return response.serialized().readableBytes + (key == key ? 1 : 0)
    }

    private static func measure(_ name: String, _ runs: Int, count: Int, _ body: () -> Int) async -> Figure {
        await Figure.measure(name, "us", runs, { seconds, _ in seconds * 1e6 / Double(count) }) {
            var sum = 0
            for _ in 0..<count { sum &+= body() }
            precondition(sum > count, "the work was not done")
            return sum
        }
    }
}
