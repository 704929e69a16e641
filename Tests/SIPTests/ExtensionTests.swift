import NIOCore
import SIP
import Testing

@Suite("Extensions that elements take or refuse")
struct ExtensionTests {
    private static func request(_ method: String, _ lines: String = "") throws -> SIPMessage {
        try SIPMessage(
            "\(method) sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a.example.com;branch=z9hG4bKx\r\n"
                + "Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>;tag=2\r\nCall-ID: x@example.com\r\n"
                + "CSeq: 3 \(method)\r\n\(lines)Content-Length: 0\r\n\r\n"
        )
    }

    private static func answer(_ profile: ElementProfile, _ request: SIPMessage) -> SIPMessage? {
        if case .respond(let response) = profile.check(.message(request)) { response } else { nil }
    }

    @Test("INFO of a package that is not received is 469 and says which are; INFO without a package passes (RFC 6086)")
    func infoPackages() throws {
        var profile = ElementProfile(methods: [.info])
        profile.infoPackages = [OptionTag.trickleICE]
        #expect(Self.answer(profile, try Self.request("INFO", "Info-Package: trickle-ice\r\n")) == nil)
        #expect(Self.answer(profile, try Self.request("INFO")) == nil)
        let refusal = Self.answer(profile, try Self.request("INFO", "Info-Package: dtmf;p=1\r\n"))
        #expect(refusal?.status == 469)
        #expect(refusal?.text(.recvInfo) == "trickle-ice")
    }

    @Test("MESSAGE, INVITE and REFER to a list say so in Require (RFC 5365, 5366, 5368)")
    func recipientLists() throws {
        func kind(_ method: String, _ tag: String) throws -> RecipientList.Kind {
            try RecipientList.kind(try Self.request(method, "Require: 100rel, \(tag)\r\n"))
        }
        #expect(
            try kind("MESSAGE", "Recipient-List-Message") == .list(requiredTag: OptionTag.recipientListMessage)
        )
        #expect(try kind("INVITE", "recipient-list-invite") == .list(requiredTag: OptionTag.recipientListInvite))
        #expect(try kind("REFER", "multiple-refer") == .list(requiredTag: OptionTag.multipleRefer))
        #expect(try kind("MESSAGE", "recipient-list-invite") == .none)
        #expect(try kind("OPTIONS", "recipient-list-message") == .none)
        // Whoever cannot send to a list says so.
        let refusal = Self.answer(
            ElementProfile(methods: [.message]),
            try Self.request("MESSAGE", "Require: recipient-list-message\r\n")
        )
        #expect(refusal?.status == 420)
        #expect(refusal?.text(.unsupported) == "recipient-list-message")
    }

    /// What a proxy forwards: Session-Expires, Min-SE, and the 2xx completed; nil for a 422.
    private static func forward(
        _ lines: String,
        preferred: UInt32? = nil
    ) throws -> (expires: String?, minimum: String?, completed: String?)? {
        let invite = try Self.request("INVITE", lines)
        switch try SessionTimerProxy.forward(invite, minimum: 200, preferred: preferred) {
        case .tooSmall(let minimum):
            #expect(minimum == 200)
            return nil
        case .forward(let request, let timer):
            let response = timer.complete(SIPMessage(200, to: request))
            #expect(response.hasOption("timer", in: .require) == response.contains(.sessionExpires))
            return (request.text(.sessionExpires), request.text(.minSE), response.text(.sessionExpires))
        }
    }

    @Test("A proxy asks for session timers, shortens them, refuses or raises what is too short (RFC 4028 section 8)")
    func proxiedTimers() throws {
        let supported = "Supported: timer\r\n"
        let none = try #require(try Self.forward(""))
        #expect(none == (nil, nil, nil))
        let asked = try #require(try Self.forward(supported, preferred: 1800))
        #expect(asked == ("1800", nil, "1800;refresher=uac"))
        let foreign = try #require(try Self.forward("", preferred: 1800))
        #expect(foreign == ("1800", nil, nil), "nobody could refresh")
        let shortened = try #require(
            try Self.forward(supported + "Session-Expires: 3600;refresher=uac\r\n", preferred: 1800)
        )
        #expect(shortened == ("1800;refresher=uac", nil, "1800;refresher=uac"))
        let bounded = try #require(
            try Self.forward(supported + "Session-Expires: 3600\r\nMin-SE: 2000\r\n", preferred: 1800)
        )
        #expect(bounded.expires == "2000")
        #expect(try Self.forward(supported + "Session-Expires: 100\r\n") == nil)
        let raised = try #require(try Self.forward("Session-Expires: 100\r\n"))
        #expect(raised == ("200", "200", nil))
    }
}
