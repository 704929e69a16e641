import FoundationEssentials
import MessagingCore
import Store
import Synchronization

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

/// Documents that were decoded before, found by their very bytes: a user is read many times between two changes.
final class DocumentCache<Document: Decodable & Sendable>: Sendable {
    private struct Known {
        var documents: [[UInt8]: Document] = [:]
        var bytes = 0
    }

    /// Documents kept, and their bytes as encoded; when there are more, it begins anew.
    private let capacity: Int
    private let maximumBytes: Int
    private let known = Mutex(Known())

    init(capacity: Int, maximumBytes: Int = 16 << 20) {
        self.capacity = capacity
        self.maximumBytes = maximumBytes
    }

    /// What is kept.
    var size: (documents: Int, bytes: Int) { known.withLock { ($0.documents.count, $0.bytes) } }

    func decode(_ bytes: [UInt8]) throws -> Document {
        if let document = known.withLock({ $0.documents[bytes] }) { return document }
        let document = try RowDocument.decode(Document.self, bytes)
        known.withLock { known in
            guard known.documents[bytes] == nil else { return }
            if known.documents.count >= capacity || known.bytes + bytes.count > maximumBytes {
                known.documents.removeAll(keepingCapacity: true)
                known.bytes = 0
            }
            known.documents[bytes] = document
            known.bytes += bytes.count
        }
        return document
    }
}

/// What a store's readers have decoded, one cache for each kind of document.
struct DocumentCaches: Sendable {
    let accounts = DocumentCache<AccountProfile>(capacity: 2048)
    let preferences = DocumentCache<Preferences>(capacity: 2048)
    let devices = DocumentCache<DeviceProfile>(capacity: 4096)
}
