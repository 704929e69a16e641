import MessagingCore
import Store

/// Everything a store holds, as one value: a copy of it is a snapshot.
struct Contents: Sendable {
    struct IndexEntry: Sendable {
        var accounts: [AccountID]
        var words: Set<String>
    }

    struct Lease: Sendable {
        var node: String
        var fence: Int64
        var until: Timestamp
    }

    var accounts: [AccountID: Account] = [:]
    var holders: [Address: AccountID] = [:]
    var preferences: [AccountID: Preferences] = [:]
    var pastRules: [AccountID: [Int32: RuleBook]] = [:]
    var credentials: [AccountID: Credential] = [:]
    var devices: [AccountID: [DeviceID: Device]] = [:]
    var tokens: [TokenHash: DeviceIdentity] = [:]
    var items: [AccountID: [ChangeNumber: Item]] = [:]
    var stored: [ContentID: StoredContent] = [:]
    var index: [ContentID: IndexEntry] = [:]
    var keys: [AccountID: [MessageID: SubmissionKey]] = [:]
    var ledgers: [AccountID: [LedgerLine]] = [:]
    var settings: [String: [UInt8]] = [:]
    var queue: [QueuedEntry] = []
    var leases: [String: Lease] = [:]
    var uploads: [String: Upload] = [:]
    var blobs: [BlobHash: BlobRecord] = [:]
    var lastAccount: Int64 = 0
    var lastContent: Int64 = 0
    var lastEntry: Int64 = 0
}

extension Contents {
    mutating func apply(_ change: Change) {
        switch change {
        case .account(let account):
            for address in accounts[account.id]?.addresses ?? [] where holders[address] == account.id {
                holders[address] = nil
            }
            for address in account.addresses { holders[address] = account.id }
            accounts[account.id] = account
        case .preferences(let id, let value):
            preferences[id] = value
            pastRules[id, default: [:]][value.rules.revision] = value.rules
        case .credential(let id, let value): credentials[id] = value
        case .device(let id, let device): devices[id, default: [:]][device.id] = device
        case .deviceProgress(let id, let device):
            devices[id]?[device.id]?.cursor = device.cursor
            devices[id]?[device.id]?.leaseEnds = device.leaseEnds
            devices[id]?[device.id]?.lastSeen = device.lastSeen
        case .removeDevice(let id, let device):
            devices[id]?[device] = nil
            tokens = tokens.filter { $0.value != DeviceIdentity(account: id, device: device) }
        case .token(let hash, let identity): tokens[hash] = identity
        case .item(let item): items[item.account, default: [:]][item.created] = item
        case .content(let content): stored[content.id] = content
        case .removeContent(let id): stored[id] = nil
        case .key(let id, let message, let key): keys[id, default: [:]][message] = key
        case .removeKeys(let time): for id in keys.keys { keys[id] = keys[id]?.filter { $0.value.time >= time } }
        case .ledger(let line): ledgers[line.account, default: []].append(line)
        case .setting(let name, let value): settings[name] = value
        case .trim(let id, let number):
            items[id] = items[id]?.filter { !($0.value.isTombstone && $0.value.changed <= number) }
        case .index(let id, let accounts, let text):
            index[id] = IndexEntry(accounts: accounts, words: Set(words(of: text)))
        case .unindex(let id, _, _): index[id] = nil
        case .enqueue, .postpone, .dequeue: applyToOutbox(change)
        case .upload, .removeUpload, .blob, .refer, .removeBlob: applyToBlobs(change)
        }
    }

    private mutating func applyToOutbox(_ change: Change) {
        switch change {
        case .enqueue(let entry, let due):
            lastEntry += 1
            queue.append(QueuedEntry(id: lastEntry, entry: entry, attempts: 0, due: due))
        case .postpone(let id, let attempts, let due):
            guard let place = queue.firstIndex(where: { $0.id == id }) else { return }
            queue[place].attempts = attempts
            queue[place].due = due
        case .dequeue(let id): queue.removeAll { $0.id == id }
        default: break
        }
    }

    private mutating func applyToBlobs(_ change: Change) {
        switch change {
        case .upload(let upload): uploads[upload.id] = upload
        case .removeUpload(let id): uploads[id] = nil
        case .blob(let hash, let bytes):
            if blobs[hash] == nil {
                blobs[hash] = BlobRecord(hash: hash, bytes: bytes, references: 0, dyingSince: nil)
            } else {
                blobs[hash]?.dyingSince = nil
            }
        case .refer(let hash, let count, let time):
            guard var blob = blobs[hash] else { return }
            blob.references += count
            blob.dyingSince = blob.references > 0 ? nil : time
            blobs[hash] = blob
        case .removeBlob(let hash): blobs[hash] = nil
        default: break
        }
    }
}

/// A text's words as the index knows them: letters and digits, without case.
func words(of text: String) -> [String] {
    text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
}
