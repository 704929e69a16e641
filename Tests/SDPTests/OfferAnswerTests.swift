import SDP
import Testing

@Suite("Offer and answer")
struct OfferAnswerTests {
    static func origin(_ name: String, version: String = "1") -> Origin {
        Origin(username: name, sessionID: "1", sessionVersion: version, addressType: "IP4", address: "192.0.2.1")
    }

    static func audio(port: Int = 5004, _ attributes: Attribute...) -> MediaDescription {
        MediaDescription(type: "audio", port: port, proto: "RTP/AVP", formats: ["0", "8"], attributes: attributes)
    }

    static func message(_ attributes: Attribute...) -> MediaDescription {
        let base = MSRPAttributes(path: ["msrp://192.0.2.1:2855/s;tcp"], acceptTypes: ["message/cpim"])
        return MediaDescription(
            type: "message",
            port: 2855,
            proto: "TCP/MSRP",
            formats: ["*"],
            attributes: base.attributes + attributes
        )
    }

    static func description(_ name: String, _ media: MediaDescription...) -> SessionDescription {
        SessionDescription(
            origin: Self.origin(name),
            connection: Connection(addressType: "IP4", address: "192.0.2.1"),
            media: media
        )
    }

    static func answer(_ offer: SessionDescription, _ decisions: MediaAcceptance?...) throws -> SessionDescription {
        try SessionDescription(answering: offer, origin: Self.origin("b"), decisions: decisions)
    }

    // MARK: - Making answers

    @Test("an answer has the offer's slots in order, port 0 for what is refused")
    func slots() throws {
        let offer = Self.description("a", Self.audio(Attribute("mid", "1")), Self.message(), Self.audio(port: 0))
        let answer = try Self.answer(offer, nil, MediaAcceptance(port: 9))
        #expect(answer.media.map(\.type) == ["audio", "message", "audio"])
        #expect(answer.media.map(\.port) == [0, 9, 0])
        #expect(answer.media[0].mediaID == "1")
        #expect(answer.media[1].statedDirection == .sendReceive)
    }

    @Test("an answer narrows formats and direction to the offer")
    func narrow() throws {
        let offer = Self.description("a", Self.audio(Attribute("sendonly")))
        let answer = try Self.answer(offer, MediaAcceptance(port: 6000, formats: ["8"]))
        #expect(answer.media[0].formats == ["8"])
        #expect(answer.media[0].statedDirection == .receiveOnly)
    }

    @Test("what was not offered cannot be accepted")
    func notOffered() {
        let offer = Self.description("a", Self.audio(port: 0), Self.audio(), Self.message(Attribute("setup", "active")))
        #expect(throws: SDPError(.notOffered, "")) { try Self.answer(offer, MediaAcceptance(port: 1)) }
        #expect(throws: SDPError(.notOffered, "")) {
            try Self.answer(offer, nil, MediaAcceptance(port: 1, formats: ["9"]))
        }
        #expect(throws: SDPError(.notOffered, "")) {
            try Self.answer(offer, nil, nil, MediaAcceptance(port: 1, attributes: [Attribute("setup", "active")]))
        }
        #expect(throws: SDPError(.mediaMismatch, "")) { try Self.answer(offer, nil, nil, nil, nil) }
    }

    @Test("a bundle is answered for the media accepted, if it is wanted")
    func bundle() throws {
        var offer = Self.description("a", Self.audio(Attribute("mid", "x")), Self.audio(Attribute("mid", "y")))
        offer.append(Attribute("group", "BUNDLE x y"))
        let plain = try Self.answer(offer, MediaAcceptance(port: 1), nil)
        #expect(plain.groups.isEmpty)
        let bundled = try SessionDescription(
            answering: offer,
            origin: Self.origin("b"),
            acceptingGroups: ["BUNDLE"],
            decisions: [MediaAcceptance(port: 1), nil]
        )
        #expect(bundled.groups == [MediaGroup(semantics: "BUNDLE", mediaIDs: ["x"])])
    }

    @Test("a bundle-only medium is no refused one")
    func bundleOnly() {
        #expect(!Self.audio(port: 0, Attribute("bundle-only")).isRejected)
        #expect(Self.audio(port: 0).isRejected)
    }

    // MARK: - Changing offers

    @Test("slots are reused, never dropped or moved")
    func slotsOfOffers() {
        var offer = Self.description("a", Self.audio(Attribute("mid", "x")), Self.message(Attribute("mid", "y")))
        offer.append(Attribute("group", "BUNDLE x y"))
        offer.remove(at: 0)
        #expect(offer.media.map(\.port) == [0, 2855])
        #expect(offer.groups.first?.mediaIDs == ["y"])
        #expect(offer.add(Self.message()) == 0)
        #expect(offer.add(Self.audio()) == 2)
        #expect(offer.media.map(\.type) == ["message", "message", "audio"])
    }

    @Test("hold and resume keep what was sent")
    func hold() {
        let table: [(MediaDirection, MediaDirection, MediaDirection)] = [
            (.sendReceive, .sendOnly, .sendReceive), (.sendOnly, .sendOnly, .sendReceive),
            (.receiveOnly, .inactive, .receiveOnly), (.inactive, .inactive, .receiveOnly),
        ]
        for (before, held, resumed) in table {
            var offer = Self.description("a", Self.audio(Attribute(before.rawValue)))
            #expect(offer.isOnHold(at: 0) == !before.receives)
            offer.hold(at: 0)
            #expect(offer.media[0].statedDirection == held)
            #expect(offer.isOnHold(at: 0))
            offer.resume(at: 0)
            #expect(offer.media[0].statedDirection == resumed)
        }
        var old = Self.description("a", Self.audio())
        old.connection = Connection(addressType: "IP4", address: "0.0.0.0")
        #expect(old.isOnHold(at: 0))
    }

    @Test("a session spread over devices: each leg gets its media, self-contained")
    func legs() throws {
        var offer = Self.description("a", Self.audio(Attribute("mid", "1")), Self.message(Attribute("mid", "2")))
        offer.append(Attribute("group", "BUNDLE 1 2"))
        offer.append(Attribute("ice-ufrag", "u"))
        offer.append(Attribute("fingerprint", "sha-256 AA"))
        offer.append(Attribute("inactive"))
        offer.append(Attribute("ice-lite"))
        let leg = offer.selecting([1, 7])
        #expect(leg.media.count == 1)
        #expect(leg.connection == nil)
        #expect(leg.media[0].connection == offer.connection)
        #expect(leg.media[0].statedDirection == .inactive)
        #expect(leg.media[0].attribute("ice-ufrag") == "u")
        #expect(leg.media[0].attribute("fingerprint") == "sha-256 AA")
        #expect(leg.groups == [MediaGroup(semantics: "BUNDLE", mediaIDs: ["2"])])
        #expect(leg.attribute("ice-ufrag") == nil)
        // This one is for sessions only (RFC 8839 section 5.3).
        #expect(leg.hasAttribute("ice-lite"))
        #expect(!leg.media[0].hasAttribute("ice-lite"))
        #expect(leg.statedDirection == nil)
    }

    // MARK: - What an exchange comes to

    @Test("directions, addresses and roles of an agreement")
    func agreement() throws {
        let offer = Self.description("a", Self.audio(), Self.message(Attribute("setup", "actpass")), Self.audio())
        var answer = try Self.answer(
            offer,
            MediaAcceptance(port: 1, wish: .sendOnly),
            MediaAcceptance(port: 2, attributes: [Attribute("setup", "passive")])
        )
        answer.connection = Connection(addressType: "IP4", address: "192.0.2.9")
        let ours = try Agreement(local: offer, remote: answer, isLocalOffer: true)
        #expect(ours.media.map(\.isActive) == [true, true, false])
        #expect(ours.media.map(\.direction) == [.receiveOnly, .sendReceive, .inactive])
        #expect(ours.media.map(\.isLocalConnecting) == [nil, true, nil])
        #expect(ours.media[0].remoteConnection?.address == "192.0.2.9")
        let theirs = try Agreement(local: answer, remote: offer, isLocalOffer: false)
        #expect(theirs.media.map(\.direction) == [.sendOnly, .sendReceive, .inactive])
        #expect(theirs.media.map(\.isLocalConnecting) == [nil, false, nil])
    }

    @Test("without a role the offerer of MSRP connects")
    func defaultRole() throws {
        let offer = Self.description("a", Self.message())
        let answer = try Self.answer(offer, MediaAcceptance(port: 2))
        #expect(try Agreement(local: offer, remote: answer, isLocalOffer: true).media[0].isLocalConnecting == true)
        #expect(try Agreement(local: answer, remote: offer, isLocalOffer: false).media[0].isLocalConnecting == false)
    }

    @Test("the all-zero address stops what is sent there")
    func zeroAddress() throws {
        let offer = Self.description("a", Self.audio())
        var answer = try Self.answer(offer, MediaAcceptance(port: 2))
        answer.connection = Connection(addressType: "IP4", address: "0.0.0.0")
        let agreement = try Agreement(local: offer, remote: answer, isLocalOffer: true)
        #expect(agreement.media[0].direction == .receiveOnly)
    }

    @Test("answers that do not fit are refused")
    func misfits() throws {
        let offer = Self.description("a", Self.audio(port: 0), Self.message(Attribute("setup", "active")))
        let cases: [(SessionDescription, SDPError.Code)] = [
            (Self.description("b", Self.audio(port: 0)), .mediaMismatch),
            (Self.description("b", Self.audio(), Self.message()), .mediaMismatch),
            (Self.description("b", Self.message(), Self.audio(port: 0)), .mediaMismatch),
            (Self.description("b", Self.audio(port: 0), Self.message(Attribute("setup", "active"))), .notOffered),
        ]
        for (answer, code) in cases {
            #expect(throws: SDPError(code, "")) { try Agreement(local: offer, remote: answer, isLocalOffer: true) }
        }
    }
}
