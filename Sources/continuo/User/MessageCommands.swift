import ArgumentParser
import ClientWire
import ContinuoClient
import Foundation
import MessagingCore

/// `continuo inbox`
struct Inbox: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List messages, newest first.")
    @OptionGroup var options: DeviceOptions
    @Flag(help: "Messages sent, on any device.")
    var sent = false
    @Flag(help: "Only unread ones.")
    var unread = false
    @Flag(help: "Also what your rules keep from this device.")
    var all = false
    @Option(help: ArgumentHelp("Only of this conversation.", valueName: "id"))
    var conversation: String?
    @Option(help: "How many at most.")
    var limit = 20
    @Option(help: ArgumentHelp("Older than this message number.", valueName: "number"))
    var before: Int64?

    func run() async throws {
        let conversation: ConversationID? = try self.conversation.map { text in
            do { return try ConversationID(text) } catch {
                throw CommandFailure.misused("'\(text)' is no conversation")
            }
        }
        let page = try await reaching {
            try await options.client()
                .messages(
                    box: sent ? "sent" : "inbox",
                    conversation: conversation,
                    unreadOnly: unread,
                    before: before,
                    limit: limit
                )
        }
        let items = page.items.filter { all || $0.deliver != .nothing }
        try printItems(items, json: options.json, empty: "nothing here")
        if let next = page.next, !options.json { print("more: --before \(next)") }
    }
}

/// `continuo search`
struct Search: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Find messages that hold every word.")
    @OptionGroup var options: DeviceOptions
    @Argument(help: "Words.")
    var words: [String]
    @Option(help: "How many at most.")
    var limit = 20

    func run() async throws {
        let page = try await reaching {
            try await options.client().search(words.joined(separator: " "), limit: limit)
        }
        try printItems(page.items, json: options.json, empty: "nothing found")
    }
}

/// `continuo read`
struct Read: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show messages and mark them as read, on all devices.")
    @OptionGroup var options: DeviceOptions
    @Argument(help: "Message ids; none reads everything unread.")
    var ids: [String] = []
    @Flag(help: "Only mark, do not show.")
    var quiet = false

    func run() async throws {
        let wanted = try ids.map(parseMessageID)
        try await reaching {
            let client = try options.client()
            var items: [ItemDocument] = []
            if wanted.isEmpty {
                var before: ChangeNumber?
                repeat {
                    let page = try await client.messages(box: "inbox", unreadOnly: true, before: before)
                    items += page.items
                    before = page.next
                } while before != nil
            } else {
                for id in wanted { items.append(try await client.message(id)) }
            }
            let ids = try items.map { try MessageID($0.id) }
            var changed = 0
            for start in stride(from: 0, to: ids.count, by: 100) {
                let some = Array(ids[start..<min(start + 100, ids.count)])
                changed += try await client.markRead(ReadRequest(ids: some)).changed
            }
            if options.json {
                for item in items where !quiet { try printJSON(item) }
                return try printJSON(CountAnswer(changed: changed))
            }
            for item in items where !quiet { print(item.text) }
            print("\(changed) marked as read")
        }
    }
}

/// `continuo delete`
struct Delete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Delete messages on all devices, or on this one only.")
    @OptionGroup var options: DeviceOptions
    @Argument(help: "Message ids.")
    var ids: [String]
    @Flag(help: "Only on this device; 'continuo fetch' brings them back.")
    var here = false

    func run() async throws {
        let ids = try ids.map(parseMessageID)
        let answer = try await reaching { try await options.client().delete(ids, here ? .here : .everywhere) }
        if options.json { return try printJSON(answer) }
        print("\(answer.changed) deleted \(here ? "on this device" : "everywhere")")
    }
}

/// `continuo fetch`
struct Fetch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Get a message whole on this device, whatever the rules gave it; save its parts."
    )
    @OptionGroup var options: DeviceOptions
    @Argument(help: "Message id.")
    var id: String
    @Option(help: ArgumentHelp("Save the parts in this folder.", valueName: "folder"))
    var save: String?

    func run() async throws {
        let id = try parseMessageID(id)
        try await reaching {
            let client = try options.client()
            let item = try await client.fetch(id)
            if options.json { try printJSON(item) } else { print(item.text) }
            guard let save, let message = item.message else { return }
            try FileManager.default.createDirectory(atPath: save, withIntermediateDirectories: true)
            for (index, part) in message.parts.enumerated() {
                let ending = part.type.hasPrefix("text/") ? ".txt" : ""
                let name = safeFileName(part.name, fallback: "part-\(index)\(ending)")
                var path = save + "/" + name
                if FileManager.default.fileExists(atPath: path) { path = "\(save)/\(index)-\(name)" }
                let bar = ProgressBar(name, json: options.json)
                try await client.downloadPart(id, index, to: path, sha256: part.sha256) { bar.show($0) }
                if !options.json { print("saved \(path)") }
            }
        }
    }
}
