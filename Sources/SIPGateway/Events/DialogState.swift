import ClientWire
import MessagingCore
import SIP
import SessionCore
import XMLBodies

extension DialogInfo.Dialog {
    /// The conversations of an account that are going on or being asked for: one dialog for each own device that holds
    /// something of one, and one for a request that rings.
    ///
    /// - Parameter own: a phone's real dialog, where it has one in a conversation.
    static func all(
        _ sessions: [SessionDocument],
        addressOfRecord: SIPURI,
        own: (DeviceID, SessionID) -> DialogID?
    ) -> [DialogInfo.Dialog] {
        sessions.flatMap { session -> [DialogInfo.Dialog] in
            guard session.state != .over else { return [] }
            let legs = session.legs.compactMap { leg -> DialogInfo.Dialog? in
                let media = session.media.filter { $0.isOn(leg.device, of: session.user) }
                guard leg.state != .draining || !media.isEmpty else { return nil }
                let id = own(leg.device, session.id) ?? SessionDialogID(session.id, leg.generation).dialog
                var dialog = DialogInfo.Dialog(session, "\(session.id).\(leg.generation.rawValue)", leg.state.dialog)
                dialog.callID = id.callID
                dialog.localTag = id.localTag
                dialog.remoteTag = id.remoteTag
                dialog.local = .init(session.user, on: leg, media, DeviceGRUU.uri(addressOfRecord, leg.device))
                return dialog
            }
            return legs.isEmpty ? [DialogInfo.Dialog(session, "\(session.id)", .early)] : legs
        }
    }

    private init(_ session: SessionDocument, _ id: String, _ state: DialogInfo.State) {
        self.init(id: id, state: state)
        direction = session.creator == session.user ? "initiator" : "recipient"
        local = DialogInfo.Participant(identity: "\(session.user)")
        let others = session.participants.filter { $0 != session.user }
        // While nobody has accepted, those who were asked or who asks.
        let asked = session.creator == session.user ? session.invited : [session.creator]
        remote = DialogInfo.Participant(identity: (others.first ?? asked.first)?.description)
        remote?.identityDisplay = session.subject
    }
}

extension DialogInfo.Participant {
    /// The device that holds a leg, and as parameters of its target the media that are on it.
    fileprivate init(_ user: Address, on leg: SessionDocument.Leg, _ media: [SessionDocument.Medium], _ uri: SIPURI) {
        self.init(identity: "\(user)")
        target = uri.description
        var parameters: [(name: String, value: String)] = []
        if leg.state == .live { parameters.append(("text", "TRUE")) }
        for kind in MediumKind.allCases where kind != .text && media.contains(where: { $0.kind == kind }) {
            parameters.append((kind.featureTag, "TRUE"))
        }
        // Whether what it gets is played (RFC 4235, section 5.2): not while everything is held.
        if !media.isEmpty {
            parameters.append(("+sip.rendering", media.contains { !$0.held.contains(user) } ? "yes" : "no"))
        }
        targetParameters = parameters.map { RegistrationInfo.Contact.Parameter(name: $0.name, value: $0.value) }
    }
}

extension SessionDocument.Medium {
    fileprivate func isOn(_ device: DeviceID, of user: Address) -> Bool {
        placements.contains { $0.user == user && $0.device == device }
    }
}

extension MediumKind {
    /// Its feature tag: of RFC 3840, or one of ours.
    fileprivate var featureTag: String {
        switch self {
        case .text, .audio, .video: rawValue
        case .file, .storedVideo: "+continuo.\(rawValue)"
        }
    }
}

extension SessionDocument.Leg.State {
    fileprivate var dialog: DialogInfo.State {
        switch self {
        case .preparing, .replaying: .early
        case .live, .draining: .confirmed
        }
    }
}
