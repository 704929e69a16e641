import ClientWire
import MessagingCore
import SIP
import XMLBodies

/// A phone that is registered, as far as the list of devices tells of it.
struct RegisteredPhone: Sendable {
    var contact: String
    /// By its instance, when it has one.
    var publicGRUU: String?
}

extension RegistrationInfo.Registration {
    /// All devices of an account, registered or not, each with an address that a REFER can name and with what it can do.
    ///
    /// - Parameter phones: those that are registered here, by their number.
    init(_ devices: [DeviceStatus], addressOfRecord: SIPURI, phones: [DeviceID: RegisteredPhone]) {
        let contacts = devices.map {
            RegistrationInfo.Contact($0, addressOfRecord: addressOfRecord, phone: phones[$0.device.id])
        }
        self.init(
            addressOfRecord: addressOfRecord.description,
            id: "account",
            state: contacts.contains(where: \.isActive) ? .active : .terminated,
            contacts: contacts
        )
    }
}

extension RegistrationInfo.Contact {
    fileprivate init(_ status: DeviceStatus, addressOfRecord: SIPURI, phone: RegisteredPhone?) {
        let device = status.device
        let own = DeviceGRUU.uri(addressOfRecord, device.id).description
        self.init(
            id: "device-\(device.id.rawValue)",
            isActive: status.isRegistered,
            event: status.isRegistered ? .registered : .expired,
            uri: phone?.contact ?? own
        )
        displayName = device.label
        publicGRUU = phone?.publicGRUU ?? own
        parameters = Self.features(device).map { RegistrationInfo.Contact.Parameter(name: $0.name, value: $0.value) }
    }

    /// Feature tags of RFC 3840; those that it does not define have a name of ours.
    private static func features(_ device: DeviceDocument) -> [(name: String, value: String)] {
        var features: [(name: String, value: String)] = []
        switch device.kind {
        case .mobile, .pda, .tablet: features.append(("mobility", "\"mobile\""))
        case .fixedPhone: features.append(("mobility", "\"fixed\""))
        case .computer, .other: break
        }
        let known: Set<String> = ["audio", "video", "text", "message", "automata", "data", "control"]
        features += device.capabilities.features.filter(known.contains).map { ($0, "") }
        // Every device is given text messages.
        if !device.capabilities.features.contains("message") { features.append(("methods", "\"MESSAGE\"")) }
        features.append(("+continuo.kind", "\"<\(device.kind.rawValue)>\""))
        return features
    }
}
