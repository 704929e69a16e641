import Foundation
import NIOCore
import Testing

@testable import SIP

@Suite("Proxy rules and editing")
struct ProxyTests {
    static let proxy = ProxyCore(
        sentBy: HostPort(host: "p.example.com"),
        ownAddresses: [HostPort(host: "p.example.com")],
        secret: "secret"
    )

    static func forward(_ request: SIPMessage, target: String? = nil) throws -> SIPMessage {
        try Self.proxy.forward(
            request,
            .init(
                target: try target.map { try URI($0) },
                transport: "UDP",
                sentBy: HostPort(host: "p.example.com"),
                unique: "u1",
                recordRoute: try NameAddress("<sip:p.example.com;lr>")
            )
        )
    }

    @Test(
        "Only what a proxy must change is changed; the rest is byte for byte",
        arguments: Corpus.entries("sip-torture").filter { $0.parse == "ok" && $0.expect["request"] != nil }
    )
    func exact(entry: Corpus.Entry) throws {
        let original = try SIPMessage(parsing: try entry.bytes())
        guard Self.proxy.check(original) == nil else { return }
        let copy = try Self.forward(original)
        func rest(_ message: SIPMessage) -> [String] {
            String(buffer: message.serialized()).components(separatedBy: "\r\n")
                .filter { !$0.lowercased().hasPrefix("max-forwards") && !$0.contains("p.example.com") }
        }
        let old = Self.unfoldedMaxForwards(rest(original))
        let new = Self.unfoldedMaxForwards(rest(copy))
        #expect(old == new)
        #expect(try copy.topVia().sentBy.host == "p.example.com")
        #expect(try copy.vias().count == original.vias().count + 1)
    }

    /// One torture message folds Max-Forwards; its second line goes with it.
    static func unfoldedMaxForwards(_ lines: [String]) -> [String] {
        lines.filter { $0.trimmingPrefix(" ") != "0068" && $0 != " 0068" }
    }

    @Test("Max-Forwards is counted down or added, Via and Record-Route come on top")
    func fields() throws {
        let request = try Samples.invite()
        let copy = try Self.forward(request, target: "sip:b@192.0.2.9:5070")
        #expect(try copy.maxForwards() == 69)
        #expect(copy.uriText == "sip:b@192.0.2.9:5070")
        #expect(copy.text(.recordRoute) == "<sip:p.example.com;lr>")
        #expect(try copy.topVia().hasUniqueBranch)
        var bare = request
        bare.remove(.maxForwards)
        #expect(try Self.forward(bare).maxForwards() == 70)
    }

    @Test("A loop is seen, a spiral is not a loop")
    func loops() throws {
        let once = try Self.forward(try Samples.invite())
        #expect(Self.proxy.check(once)?.status == 482)
        let spiral = try Self.forward(try Samples.invite(), target: "sip:other@example.com")
        #expect(Self.proxy.check(spiral) == nil)
    }

    @Test("Our own Route goes, and strict routing is undone")
    func routes() throws {
        var request = try Samples.invite(extra: "Route: <sip:p.example.com;lr>,\r\n <sip:next.example.com;lr>\r\n")
        #expect(try Self.proxy.removeOwnRoute(&request)?.uri.sip?.host == "p.example.com")
        #expect(request.texts(.route) == ["<sip:next.example.com;lr>"])
        #expect(try Self.proxy.removeOwnRoute(&request) == nil)
        var strict = try Samples.invite(extra: "Route: <sip:x.example.com;lr>, <sip:b@target.example.com>\r\n")
        strict.setRequestURI("sip:p.example.com;lr")
        try Self.proxy.removeOwnRoute(&strict)
        #expect(strict.uriText == "sip:b@target.example.com")
        #expect(strict.texts(.route) == ["<sip:x.example.com;lr>"])
    }

    static func response(_ status: SIPStatus, _ tag: String) throws -> SIPMessage {
        Samples.response(status, to: try Samples.invite(), tag: tag, contact: nil)
    }

    @Test("The best of several failures goes back once all are in")
    func best() throws {
        var context = ForkContext(method: .invite)
        let first = context.addBranch() ?? -1
        let second = context.addBranch() ?? -1
        let third = context.addBranch() ?? -1
        #expect(context.received(try Self.response(100, "a"), branch: first).isEmpty)
        let ringing = try Self.response(180, "a")
        #expect(context.received(ringing, branch: first) == [.forward(ringing)])
        #expect(context.received(try Self.response(503, "a"), branch: first).isEmpty)
        let busy = try Self.response(486, "b")
        #expect(context.received(busy, branch: second).isEmpty)
        #expect(context.received(busy, branch: second).isEmpty, "the same again changes nothing")
        #expect(context.received(try Self.response(408, "c"), branch: third) == [.forward(busy)])
        #expect(context.isFinished)
        #expect(context.addBranch() == nil)
    }

    @Test("A 6xx cancels the other branches and wins; a 2xx goes at once, and so does a second one")
    func finals() throws {
        var context = ForkContext(method: .invite)
        let first = context.addBranch() ?? -1
        let second = context.addBranch() ?? -1
        let decline = try Self.response(603, "a")
        #expect(context.received(decline, branch: first) == [.cancel(branch: second)])
        #expect(!context.mayContinue)
        #expect(context.received(try Self.response(487, "b"), branch: second) == [.forward(decline)])

        context = ForkContext(method: .invite)
        _ = context.addBranch()
        _ = context.addBranch()
        let answer = try Self.response(200, "a")
        let other = try Self.response(200, "b")
        #expect(context.received(answer, branch: 0) == [.forward(answer), .cancel(branch: 1)])
        #expect(context.received(other, branch: 1) == [.forward(other)])
        #expect(context.received(try Self.response(200, "x"), branch: 7).isEmpty)
    }

    @Test("Challenges of all branches are collected; a lone 503 becomes a 500")
    func aggregation() throws {
        var context = ForkContext(method: .message)
        _ = context.addBranch()
        _ = context.addBranch()
        var first = try Self.response(401, "a")
        first.append(.wwwAuthenticate, "Digest realm=\"a\", nonce=\"1\"")
        var second = try Self.response(407, "b")
        second.append(.proxyAuthenticate, "Digest realm=\"b\", nonce=\"2\"")
        #expect(context.received(first, branch: 0).isEmpty)
        guard case .forward(let best)? = context.received(second, branch: 1).first else {
            Issue.record("no response")
            return
        }
        #expect(best.contains(.wwwAuthenticate) && best.contains(.proxyAuthenticate))
        context = ForkContext(method: .message)
        _ = context.addBranch()
        guard case .forward(let failure)? = context.received(try Self.response(503, "a"), branch: 0).first else {
            Issue.record("no response")
            return
        }
        #expect(failure.status == 500)
    }

    @Test("Values of lists are taken off and replaced without touching what follows")
    func lists() throws {
        var request = try Samples.invite(extra: "Route: \"a, b\" <sip:x,y@p1;lr> , <sip:p2;lr>\r\nRoute: <sip:p3>\r\n")
        request.replaceFirstValue(.route, "<sip:new>")
        #expect(request.texts(.route) == ["<sip:new>, <sip:p2;lr>", "<sip:p3>"])
        request.removeFirstValue(.route)
        request.removeFirstValue(.route)
        #expect(request.texts(.route) == ["<sip:p3>"])
        request.removeFirstValue(.route)
        #expect(!request.contains(.route))
        #expect(request.removeFirstValue(.route) == false)
    }

    @Test("Text cannot smuggle header fields in")
    func injection() throws {
        var message = SIPMessage(method: .message, uri: "sip:a@b\r\nX: y")
        message.append(.subject, "hi\r\nVia: SIP/2.0/UDP evil")
        message.setBody(ByteBuffer(string: "x"), contentType: "text/plain\r\nY: z")
        let read = try SIPMessage(parsing: message.serialized())
        #expect(read.fieldCount == 3)
        #expect(!read.contains(.via))
    }

    @Test("Identity: what a sender asserts by itself is replaced, and privacy keeps it inside")
    func identity() throws {
        var request = try Samples.invite(
            extra: "P-Asserted-Identity: <sip:evil@x>\r\nP-Preferred-Identity: <tel:+12015550100>\r\nPrivacy: id\r\n"
        )
        let own = [try NameAddress("<sip:a@example.com>"), try NameAddress("<tel:+1-201-555-0100>")]
        try AssertedIdentity.assert(&request, identities: own)
        #expect(request.texts(.pAssertedIdentity) == ["<tel:+1-201-555-0100>"])
        #expect(!request.contains(.pPreferredIdentity))
        var trusted = request
        AssertedIdentity.release(&trusted, isTrusted: true)
        #expect(trusted.contains(.pAssertedIdentity))
        AssertedIdentity.release(&request, isTrusted: false)
        #expect(!request.contains(.pAssertedIdentity))
        try AssertedIdentity.assert(&trusted, identities: [])
        #expect(!trusted.contains(.pAssertedIdentity))
    }

    @Test("Caller preferences: require and explicit rule devices out, others are ranked")
    func preferences() throws {
        let message = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg"
        let session = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session"
        let contacts = [
            "<sip:a@d1>;+g.3gpp.icsi-ref=\"\(message),\(session)\"", "<sip:a@d2>;+g.3gpp.icsi-ref=\"\(session).group\"",
            "<sip:a@d3>", "<sip:a@d4>;mobility=\"fixed\";q=0.1",
        ]
        let candidates = try contacts.map { CallerPreferences.Candidate(try NameAddress($0)) }
        func rank(_ header: String) throws -> [Int] {
            try CallerPreferences.rank(candidates, request: try Samples.invite(extra: header))
        }
        #expect(try rank("") == [0, 1, 2, 3])
        #expect(try rank("Accept-Contact: *;+g.3gpp.icsi-ref=\"\(session)\";require;explicit\r\n") == [0])
        #expect(
            try rank("Accept-Contact: *;+g.3gpp.icsi-ref=\"urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session\"\r\n").first
                == 0
        )
        #expect(try rank("Reject-Contact: *;mobility=\"fixed\"\r\n") == [0, 1, 2])
        #expect(try rank("Accept-Contact: *;mobility=\"!mobile\";require;explicit\r\n") == [3])
    }
}
