import MessagingCore
import MessagingService
import SIP

/// What a registration says of the phone (RFC 3840), as the rules see a device.
struct PhoneFeatures: Hashable, Sendable {
    /// What it is, when it says so.
    var kind: DeviceKind?
    var capabilities: Capabilities

    /// Feature tags that are kept; the rest says nothing that rules ask for.
    private static let known = ["audio", "video", "text", "message", "automata", "data", "control"]

    /// - Parameters:
    ///   - before: what is known of the phone: that it takes CPIM was learnt once, and stays.
    ///   - isDatagram: a message to it must fit into one datagram (RFC 3428, section 8).
    init(_ contact: NameAddress, _ request: SIPMessage, before: Capabilities, isDatagram: Bool) {
        switch contact.parameters["mobility"]?.lowercased() {
        case "mobile": kind = .mobile
        case "fixed": kind = .fixedPhone
        default: kind = nil
        }
        var features = [PhoneAbilities.sip]
        features += Self.known.filter { name in
            contact.parameters.first(name).map { $0.value?.lowercased() != "false" } ?? false
        }
        // What makes calls is not said by most of those that do.
        if !features.contains("audio"), Self.takesCalls(contact, request) { features.append("audio") }
        // A phone that once offered video can.
        if before.features.contains("video"), !features.contains("video") { features.append("video") }
        let takesCPIM = before.features.contains(PhoneAbilities.cpim) || Self.saysCPIM(contact, request)
        if takesCPIM { features.append(PhoneAbilities.cpim) }
        let takesMSRP = Self.saysMSRP(contact)
        if takesMSRP { features.append(PhoneAbilities.msrp) }
        capabilities = PhoneAbilities.plain
        capabilities.features = features
        // What is too long for a datagram is a notice then, unless it goes over MSRP.
        capabilities.maximumMessageBytes = PhoneAbilities.textBytes(
            isDatagram: isDatagram && !takesMSRP,
            isCPIM: takesCPIM
        )
    }

    private static func takesCalls(_ contact: NameAddress, _ request: SIPMessage) -> Bool {
        guard contact.parameters.first("audio") == nil else { return false }
        let methods = (try? request.list(.allow, as: Token.self)) ?? []
        return methods.isEmpty || methods.contains { $0.text == SIPMethod.invite.rawValue }
    }

    /// That it takes sessions of messages: its media feature tag (RFC 3840, section 10.15: MSRP), or a service tag of SIMPLE IM
    /// or of CPM's sessions.
    private static func saysMSRP(_ contact: NameAddress) -> Bool {
        let says = ["message", "+g.oma.sip-im"].contains { name in
            contact.parameters.first(name).map { $0.value?.lowercased() != "false" } ?? false
        }
        return says || services(contact)?.contains("oma.cpm.session") ?? false
    }

    /// An Accept with `message/cpim`, or a service tag of CPM (RCC.07, section 2.6.1.1).
    private static func saysCPIM(_ contact: NameAddress, _ request: SIPMessage) -> Bool {
        let accepts = (try? request.list(.accept, as: MediaType.self)) ?? []
        if accepts.contains(where: { $0.essence == "message/cpim" }) { return true }
        return services(contact)?.contains("oma.cpm") ?? false
    }

    private static func services(_ contact: NameAddress) -> String? {
        contact.parameters["+g.3gpp.icsi-ref"]?.lowercased()
    }
}
