import FoundationEssentials
import MessagingCore
import Store

/// The part of an account that seldom changes, kept as one document.
struct AccountProfile: Codable, Hashable {
    var name: String
    var addresses: [Address]
    var suspended: Bool
    var entitlement: Entitlement
    var settings: AccountSettings
    var epoch: Epoch

    init(_ account: Account) {
        name = account.name
        addresses = account.addresses
        suspended = account.suspended
        entitlement = account.entitlement
        settings = account.settings
        epoch = account.epoch
    }
}

/// The part of a device that seldom changes.
struct DeviceProfile: Codable {
    var kind: DeviceKind
    var label: String
    var capabilities: Capabilities
    var availability: Availability
    var synchronises: Bool
    var registered: Timestamp
    var rulesRevision: Int32
    var joinedAt: ChangeNumber

    init(_ device: Device) {
        kind = device.kind
        label = device.label
        capabilities = device.capabilities
        availability = device.availability
        synchronises = device.synchronises
        registered = device.registered
        rulesRevision = device.rulesRevision
        joinedAt = device.joinedAt
    }
}

/// JSON for the documents of rows.
enum RowDocument {
    static func encode<T: Encodable>(_ value: T) throws -> [UInt8] { [UInt8](try JSONEncoder().encode(value)) }

    static func decode<T: Decodable>(_ type: T.Type, _ bytes: [UInt8]) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw StoreError(.corrupt, "a row's document cannot be read")
        }
    }
}
