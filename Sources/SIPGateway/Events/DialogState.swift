import ClientWire
import MessagingCore
import SIP
import SessionCore
import XMLBodies

extension DialogInfo.Dialog {
    /// The conversations of an account that are going on or being asked for: one dialog for each own device that holds
    /// something of one, and one for a request that rings.
    ///
    /// - Parameter own: a phone's real dialog, where it has one in a conversation, as the phone has it.
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
                let name = "\(session.id).\(leg.generation.rawValue)"
                var dialog = DialogInfo.Dialog(session, name, leg.state.dialog)
                dialog.set(own(leg.device, session.id) ?? SessionDialogID(session.id, .leg(leg.generation)).dialog)
                dialog.local = .init(session.user, leg, media, DeviceGRUU.uri(addressOfRecord, leg.device))
                return dialog
            }
            let beside = Set(session.media.flatMap(\.placements).filter { $0.user == session.user }.map(\.device))
                .subtracting(session.legs.map(\.device)).sorted()
            let parts = beside.map { device in
                let media = session.media.filter { $0.isOn(device, of: session.user) }
                var dialog = DialogInfo.Dialog(session, "\(session.id).device\(device.rawValue)", .confirmed)
                dialog.set(own(device, session.id) ?? SessionDialogID(session.id, .device(device)).dialog)
                dialog.local = .init(session.user, nil, media, DeviceGRUU.uri(addressOfRecord, device))
                return dialog
            }
            let all = legs + parts
            return all.isEmpty ? [DialogInfo.Dialog(session, "\(session.id)", .early)] : all
        }
    }

    private mutating func set(_ id: DialogID) {
        callID = id.callID
        localTag = id.localTag
        remoteTag = id.remoteTag
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
    /// The device that has a leg, or media alone, and as parameters of its target what is on it.
    fileprivate init(_ user: Address, _ leg: SessionDocument.Leg?, _ media: [SessionDocument.Medium], _ uri: SIPURI) {
        self.init(identity: "\(user)")
        target = uri.description
        var parameters: [(name: String, value: String)] = []
        if leg?.state == .live { parameters.append(("text", "TRUE")) }
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
