package import SDP

/// What a media relay is asked for: the other side's form of a description, with the relay's own addresses in it.
///
/// The names of commands and of what they carry are those of rtpengine's `ng` protocol.
package struct RelayCommand: Hashable, Sendable {
    /// The two sides of a call through the relay.
    package enum Side: String, Hashable, Sendable {
        /// Plain RTP (RFC 3551), each port on its own.
        case phone
        /// DTLS-SRTP with ICE on one port (RFC 8827).
        case browser

        package var other: Side { self == .phone ? .browser : .phone }

        /// What the description for this side is to be.
        fileprivate func form(isOffer: Bool) -> [String: Bencode] {
            switch self {
            case .phone:
                // The relay is the one that waits for DTLS, and only once the other end has the answer: a hello before
                // that would be lost, and with it the call.
                var form: [String: Bencode] = [
                    "transport-protocol": .text("RTP/AVP"), "ICE": .text("remove"), "rtcp-mux": .list([.text("demux")]),
                ]
                if isOffer {
                    form["DTLS"] = .text("passive")
                    form["DTLS-reverse"] = .text("passive")
                }
                return form
            case .browser:
                return [
                    "transport-protocol": .text("UDP/TLS/RTP/SAVPF"), "ICE": .text("force"),
                    "rtcp-mux": .list([.text(isOffer ? "offer" : "require")]), "DTLS": .text("passive"),
                    "SDES": .list([.text("off")]),
                ]
            }
        }
    }

    package enum Work: Hashable, Sendable {
        /// An offer of this side, for the other.
        case offer(from: Side, SessionDescription)
        /// This side's answer to the other's offer.
        case answer(from: Side, SessionDescription)
        /// The call is over.
        case delete
    }

    /// Names the call at the relay.
    package var call: String
    package var work: Work

    package init(call: String, work: Work) {
        self.call = call
        self.work = work
    }

    /// As it is sent, without the cookie in front of it.
    package var request: Bencode {
        var fields: [String: Bencode]
        switch work {
        case .offer(let side, let description):
            fields = side.other.form(isOffer: true)
            fields["command"] = .text("offer")
            fields["from-tag"] = .text(side.rawValue)
            fields["sdp"] = .text(description.text)
        case .answer(let side, let description):
            fields = side.other.form(isOffer: false)
            fields["command"] = .text("answer")
            fields["from-tag"] = .text(side.other.rawValue)
            fields["to-tag"] = .text(side.rawValue)
            fields["sdp"] = .text(description.text)
        case .delete: fields = ["command": .text("delete"), "delete-delay": .integer(0)]
        }
        fields["call-id"] = .text(call)
        return .dictionary(fields)
    }
}

extension MediaDescription {
    /// Whether it is a browser's: keys by DTLS (RFC 5763), which plain RTP has no use for.
    package var isProtected: Bool { proto.hasPrefix("UDP/TLS/") }
}

extension SessionDescription {
    /// Whether any of it is a browser's.
    package var isProtected: Bool {
        media.contains(where: \.isProtected) || attributes.contains { $0.name == "fingerprint" }
    }
}
