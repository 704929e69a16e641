import ClientWire
import Foundation
import Logging
import MessagingCore
import MessagingService
import NIOCore
import NIOPosix
import SIP
import SessionCore
import Store
import Testing

@testable import SIPGateway
@testable import SIPTransport

/// What strangers leave behind, and by which of its addresses the server says that it is reached.
@Suite("Doors for phones", .timeLimit(.minutes(3)))
struct DoorTests {
    @Test(
        "A door on all addresses: phones are told the one that they reached, and so is their ACK",
        arguments: [nil, "phones.test"]
    )
    func wildcard(publicHost: String?) async throws {
        let provider = try await Provider.start(host: "0.0.0.0", publicHost: publicHost)
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let caller = try await TestPhone.make(try await provider.phone(of: alice), at: provider)
        let called = try await TestPhone.make(try await provider.phone(of: bob), at: provider)
        for phone in [caller, called] { try await phone.register() }
        try await provider.isAble(alice, bob)
        let answer = try await caller.call("sip:bob@example.org")
        let host = publicHost ?? "127.0.0.1"
        #expect(answer.text(.contact) == "<sip:\(host):\(provider.port(.udp));transport=udp>")
        #expect(!String(buffer: answer.body).contains("0.0.0.0"))
        let asked = try #require(try await called.received(.invite).first)
        #expect(asked.text(.contact) == "<sip:\(host):\(provider.port(.udp));transport=udp>")
        #expect(try asked.topVia().sentBy.host == host)
        for phone in [caller, called] { try await phone.close() }
        try await provider.stop()
    }

    @Test("A connection on which nobody proves who it is does not stay, whatever is said on it; that of a phone does")
    func unproven() async throws {
        let provider = try await Provider.start { $0.unprovenSeconds = 2 }
        let (alice, bob) = (try await provider.person("alice"), try await provider.person("bob"))
        let phone = try await TestPhone.make(try await provider.phone(of: alice), at: provider, .tcp)
        try await phone.register()
        let stranger = try await Stranger.connect(port: provider.port(.tcp))
        let chatter = Task {
            while !Task.isCancelled {
                stranger.send(
                    Array(
                        """
                        OPTIONS sip:example.org SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK\(RandomText.token(8))\r
                        From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: \(RandomText.token(8))\r\nCSeq: 1 OPTIONS\r
                        Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n
                        """.utf8
                    )
                )
                try await Task.sleep(for: .milliseconds(200))
            }
        }
        #expect(try await stranger.isClosed(within: 20))
        chatter.cancel()
        try await provider.send("still here", from: bob, to: alice)
        #expect(try await phone.waits(for: 1))
        #expect(try await phone.received().count == 1)
        let bobs = "sip:bob@example.org"
        let proofless = try await phone.ask(.message, to: bobs, target: bobs, proves: false) {
            $0.setBody(ByteBuffer(string: "x"), contentType: "text/plain")
        }
        #expect(proofless.status == 202, "it is the connection that it registered on")
        try await phone.close()
        try await provider.stop()
    }

    @Test("OPTIONS of anybody is answered, and leaves nothing behind")
    func options() async throws {
        let provider = try await Provider.start()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let configuration = SIPGatewayConfiguration(doors: [], realm: "example.org")
        let service = provider.service
        let status = try await loop.submit {
            let context = GatewayContext(
                service: service,
                configuration: configuration,
                logger: Logger(label: "test"),
                eventLoop: loop
            )
            var request = SIPMessage(method: .options, uri: "sip:example.org")
            for (name, value) in [
                (HeaderName.via, "SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKa"), (.from, "<sip:a@x>;tag=1"),
                (.to, "<sip:b@x>"), (.callID, "a"), (.cSeq, "1 OPTIONS"), (.maxForwards, "70"),
            ] { request.append(name, value) }
            let place = try SocketAddress(ipAddress: "127.0.0.1", port: 9)
            let flow = Flow(number: 1, transport: .udp, local: place, remote: place)
            return UserAgent(context).answerWithoutTransaction(request, on: flow)?.status
        }.get()
        #expect(status == 200)
        try await provider.stop()
    }

    @Test("A flow that came through a proxy proves nothing either once the phone has registered on another")
    func proxied() async throws {
        let provider = try await Provider.start()
        let alice = try await provider.person("alice")
        _ = try await provider.person("bob")
        let account = try await provider.phone(of: alice)
        let instance = ";+sip.instance=\"<urn:uuid:1>\""
        let behind = try await TestPhone.make(account, at: provider, .tcp)
        let answer = try await behind.register(parameters: instance + ";reg-id=1") {
            $0.append(.via, "SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKbehind")
            $0.append(.supported, "path, outbound")
            $0.append(.path, "<sip:edge@127.0.0.1;lr;ob>")
        }
        #expect(answer.status == 200)
        let direct = try await TestPhone.make(account, at: provider, .tcp)
        let second = try await direct.register(parameters: instance + ";reg-id=2") {
            $0.append(.supported, "path, outbound")
        }
        #expect(try second.contacts().addresses.count == 2)
        let bobs = "sip:bob@example.org"
        for (phone, status) in [(behind, SIPStatus(401)), (direct, 202)] {
            let wrote = try await phone.ask(.message, to: bobs, target: bobs, proves: false) {
                $0.setBody(ByteBuffer(string: "x"), contentType: "text/plain")
            }
            #expect(wrote.status == status)
        }
        for phone in [behind, direct] { try await phone.close() }
        try await provider.stop()
    }

    @Test("That texts come with a phone's call is remembered for the session that the call is in, and only while it is")
    func saying() async throws {
        let provider = try await Provider.start()
        let alice = try await provider.person("alice")
        let account = try await provider.phone(of: alice)
        let record = try #require(
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<PhoneRecord?, any Error>) in
                provider.service.phone(user: account.user) { continuation.resume(with: $0) }
            }
        )
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let (first, second) = (try SessionID(provider.newID().description), try SessionID(provider.newID().description))
        let service = provider.service
        let made = try await loop.submit {
            let context = GatewayContext(
                service: service,
                configuration: SIPGatewayConfiguration(doors: [], realm: "example.org"),
                logger: Logger(label: "test"),
                eventLoop: loop
            )
            let directory = PhoneDirectory(registered: { _ in nil }, dialog: { _, _ in nil })
            let uri = try #require(try URI("sip:alice@example.org").sip)
            let phone = Phone(context, record, addressOfRecord: uri, address: alice.address, directory: directory)
            let call = PhoneCall(phone, phone.talks, session: first, user: alice.address, state: .placing([.audio]))
            phone.talks.calls[first] = call
            phone.talks.saying = [first]
            phone.talks.move(call, to: second)
            #expect(phone.talks.saying == [second])
            // Nobody has this address.
            var wish = SessionRequest(id: second, to: [try Address("nobody@example.org")], media: [.audio])
            wish.from = alice.address
            call.request(wish, learning: nil)
            return NIOLoopBound((phone, context), eventLoop: loop)
        }.get()
        #expect(try await eventually { try await loop.submit { made.value.0.talks.saying.isEmpty }.get() })
        try await provider.stop()
    }
}
