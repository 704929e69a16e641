import BlobStore
import ClientWire
import MessagingCore
import Store
import Testing

@testable import MessagingService

extension World {
    /// Checks what must hold after any mix of commands, cuts and races (design: "What must hold").
    func expectSound(_ place: SourceLocation = #_sourceLocation) async throws {
        let problems = try await store.read { view in try Self.problems(view) }
        #expect(problems == [], sourceLocation: place)
        let files = try await storedBlobs()
        for record in files where record.references > 0 {
            #expect(try blobs.exists(record.hash), "a blob's file is missing", sourceLocation: place)
        }
        let known = Set(files.map(\.hash))
        try blobs.forEachBlob { #expect(known.contains($0), "a file without a row", sourceLocation: place) }
    }

    /// Checks that a device shows exactly its decisions on its mailbox, once reports that are on their way are there.
    func expectMirrored(_ device: TestDevice, _ place: SourceLocation = #_sourceLocation) async throws {
        var differences: [String] = []
        for _ in 0..<20 {
            try await device.settle(place)
            differences = try await self.differences(device)
            if differences.isEmpty { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        for difference in differences { Issue.record("\(difference)", sourceLocation: place) }
    }

    private func differences(_ device: TestDevice) async throws -> [String] {
        var expected: [String: String] = [:]
        var before: ChangeNumber?
        repeat {
            let page = try await service.messages(
                device.identity,
                Listing(before: before ?? .max, limit: Limits.pageItems)
            )
            for item in page.items where item.deliver != .nothing { expected[item.id] = Self.essence(item) }
            before = page.next
        } while before != nil
        var shown: [String: String] = [:]
        for item in device.mirror.items.values where item.kind == "message" && item.deliver != .nothing {
            shown[item.id] = Self.essence(item)
        }
        return Set(expected.keys).union(shown.keys).filter { expected[$0] != shown[$0] }.map {
            let id = $0
            let created = device.mirror.items.values.first { $0.id == id }?.created
            return "\(id) is shown as \(shown[id] ?? "nothing"), is \(expected[id] ?? "nothing"): "
                + "\(created.flatMap { device.mirror.history[$0] } ?? [])"
        }
    }

    private static func essence(_ item: ItemDocument) -> String {
        let receivers = item.receivers?.map { "\($0.address) \($0.state)" }.joined(separator: ", ") ?? "-"
        // A device has the content of what it sent itself, whatever it is sent of it.
        let content = item.boxes == ["inbox"] ? item.message?.parts.first?.text ?? "-" : ""
        return "\(item.created) \(item.boxes ?? []) read \(item.read ?? false) \(receivers) \(content)"
    }

    func storedBlobs() async throws -> [BlobRecord] {
        try await store.read { try $0.blobs(after: BlobHash(stored: ""), limit: 100_000) }
    }

    private static func problems(_ view: any ReadView) throws -> [String] {
        var problems: [String] = []
        var contents: [ContentID: (references: Int, holders: Int)] = [:]
        var blobReferences: [BlobHash: Int] = [:]
        for account in try view.accounts(after: AccountID(rawValue: 0), limit: 10_000) {
            let items = try view.changes(account.id, after: 0, limit: 1_000_000)
            let numbers = items.map(\.changed)
            if Set(numbers).count != numbers.count { problems.append("\(account.name): a change number twice") }
            if let last = numbers.last, last > account.head { problems.append("\(account.name): beyond the head") }
            if account.trim == 0, let last = numbers.last, last != account.head {
                problems.append("\(account.name): the head \(account.head) is no item's, the last is \(last)")
            }
            var used: Int64 = 0
            for item in items {
                switch item.body {
                case .message(let message):
                    contents[message.content, default: (0, 0)].references += 1
                    guard !message.flags.contains(.released) else { continue }
                    contents[message.content]?.holders += 1
                    guard let content = try view.content(message.content) else {
                        problems.append("\(account.name): \(item.object) has no content")
                        continue
                    }
                    used += try Documents.decode(Envelope.self, content.document).bytes
                case .document(let bytes) where item.kind == .file:
                    let file = try Documents.decode(FileDocument.self, bytes)
                    blobReferences[file.sha256, default: 0] += 1
                    used += file.bytes
                case .document, .tombstone: break
                }
            }
            if used != account.used { problems.append("\(account.name): uses \(used), counted \(account.used)") }
            problems += try ledgerProblems(view, account)
        }
        for lane in try view.dueLanes(at: .distantFuture, limit: 10_000) {
            for queued in try view.entries(lane: lane, limit: 100_000) {
                guard case .message = queued.entry.task else { continue }
                contents[queued.entry.content, default: (0, 0)].references += 1
                contents[queued.entry.content]?.holders += 1
            }
        }
        for (id, counted) in contents {
            guard let content = try view.content(id) else { continue }
            if content.references != counted.references || content.holders != counted.holders {
                problems.append("content \(id.rawValue) counts \(content.references)/\(content.holders), is \(counted)")
            }
            for blob in content.blobs { blobReferences[blob, default: 0] += 1 }
        }
        for content in try view.unindexed(after: ContentID(rawValue: 0), limit: 1_000_000)
        where contents[content.id] == nil {
            problems.append("content \(content.id.rawValue) is nobody's")
        }
        for upload in try view.uploads(leaseEndedBy: .distantFuture, limit: 100_000) {
            if let hash = upload.hash { blobReferences[hash, default: 0] += 1 }
        }
        for record in try view.blobs(after: BlobHash(stored: ""), limit: 100_000) {
            if record.references != blobReferences[record.hash] ?? 0 {
                problems.append(
                    "blob \(record.hash) counts \(record.references), is \(blobReferences[record.hash] ?? 0)"
                )
            }
            blobReferences[record.hash] = nil
        }
        if !blobReferences.isEmpty { problems.append("references to blobs without a row: \(blobReferences.keys)") }
        return problems
    }

    /// Each line follows from the one before; numbers are dense; the balance is their sum.
    private static func ledgerProblems(_ view: any ReadView, _ account: Account) throws -> [String] {
        var problems: [String] = []
        var balance: Int64 = 0
        var charged: Set<String> = []
        for (index, line) in try view.ledger(account.id, before: .max, limit: 1_000_000).reversed().enumerated() {
            balance += line.amount
            if line.number != Int64(index) + 1 || line.balance != balance {
                problems.append("\(account.name): ledger line \(line.number) does not follow")
            }
            guard let message = line.message, let receiver = line.receiver else { continue }
            let key = "\(line.reason.rawValue) \(message) \(receiver)"
            if !charged.insert(key).inserted { problems.append("\(account.name): \(key) twice") }
        }
        if balance != account.balance { problems.append("\(account.name): balance \(account.balance), sum \(balance)") }
        return problems
    }
}
