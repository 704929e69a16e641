import ArgumentParser
import ClientWire
import ContinuoClient
import Foundation
import MessagingCore

/// `continuo rules`
struct Rules: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What each device gets: show, replace or try rules, and ask why.",
        subcommands: [Get.self, Put.self, Try.self, Why.self],
        defaultSubcommand: Get.self
    )

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print the rules in force, as JSON.")
        @OptionGroup var options: DeviceOptions

        func run() async throws {
            let rules = try await reaching { try await options.client().rules() }
            if options.json { return try printJSON(rules) }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(rules), as: UTF8.self))
        }
    }

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Replace the rules by those of a file.")
        @OptionGroup var options: DeviceOptions
        @Argument(help: "JSON, as 'continuo rules get' prints it.")
        var file: String

        func run() async throws {
            var rules = try readRules(file)
            let put = try await reaching {
                let client = try options.client()
                rules.revision = try await client.rules().revision
                return try await client.putRules(rules)
            }
            if options.json { try printJSON(put) } else { print("revision \(put.revision) is in force") }
        }
    }

    struct Try: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What each device would get of a message.")
        @OptionGroup var options: DeviceOptions
        @Option(help: "Who would write.")
        var from: String
        @Option(help: "To which own address; the principal one if left out.")
        var to: [String] = []
        @Option(help: "Media types of its parts.")
        var type: [String] = []
        @Option(help: "Its size.")
        var bytes: Int64?
        @Option(help: ArgumentHelp("Rules of a file, instead of those in force.", valueName: "file"))
        var rules: String?

        func run() async throws {
            var request = DryRunRequest(from: try parseAddress(from))
            request.to = to.isEmpty ? nil : try to.map(parseAddress)
            request.mediaTypes = type.isEmpty ? nil : type
            request.bytes = bytes
            request.rules = try rules.map(readRules)
            let asked = request
            try show(try await reaching { try await options.client().tryRules(asked) }, options.json)
        }
    }

    struct Why: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Why each device got what it got of a message.")
        @OptionGroup var options: DeviceOptions
        @Argument(help: "Message id.")
        var id: String

        func run() async throws {
            let id = try parseMessageID(id)
            try show(try await reaching { try await options.client().decisions(id) }, options.json)
        }
    }

    private static func readRules(_ path: String) throws -> RuleBook {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw CommandFailure.misused("\(path) cannot be read")
        }
        do {
            return try StrictJSON.decodeExactly(RuleBook.self, from: bytes)
        } catch {
            throw CommandFailure.misused("\(path): \(error.detail)")
        }
    }

    private static func show(_ explanation: ExplanationDocument, _ json: Bool) throws {
        for entry in explanation.devices {
            if json {
                try printJSON(entry)
            } else {
                let silent = entry.silent ? ", silently" : ""
                print("\(printable(entry.label)) (\(entry.kind.rawValue)): \(entry.deliver)\(silent)")
                print("    \(entry.because)")
            }
        }
    }
}

/// `continuo availability`
struct AvailabilityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "availability",
        abstract: "Show or set whether you want to be disturbed, on all devices."
    )
    @OptionGroup var options: DeviceOptions
    @Argument(help: "available, busy or do-not-disturb; none shows it.")
    var state: String?
    @Option(name: .customLong("for"), help: ArgumentHelp("Only for so many minutes.", valueName: "minutes"))
    var minutes: Int?

    func run() async throws {
        let state = try state.map { text in
            guard let state = Availability.State(rawValue: text) else {
                throw CommandFailure.misused("'\(text)': take available, busy or do-not-disturb")
            }
            return state
        }
        let now = try await reaching {
            let client = try options.client()
            guard let state else { return try await client.availability() }
            var until: Timestamp?
            if let minutes { until = try await client.serverTime().advanced(by: milliseconds(minutes: minutes)) }
            return try await client.putAvailability(Availability(state, until: until))
        }
        if options.json { return try printJSON(now) }
        print("\(now.state.rawValue)\(now.until.map { " until \($0)" } ?? "")")
    }
}

/// `continuo contacts`
struct Contacts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Contacts, the lists they are on, and blocked senders.",
        subcommands: [List.self, Add.self, Remove.self, Block.self, Unblock.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List contacts and blocked senders.")
        @OptionGroup var options: DeviceOptions

        func run() async throws {
            try await reaching {
                let client = try options.client()
                var rows = [["ID", "NAME", "ADDRESSES", "LISTS"]]
                var before: ChangeNumber?
                repeat {
                    let page = try await client.contacts(before: before)
                    for contact in page.contacts {
                        if options.json { try printJSON(contact) }
                        rows.append([
                            "\(contact.id)", printable(contact.name),
                            contact.addresses.map(shown).joined(separator: ", "),
                            contact.lists.joined(separator: ", "),
                        ])
                    }
                    before = page.next
                } while before != nil
                guard !options.json else { return }
                printTable(rows)
                let blocked = try await client.blocked()
                if !blocked.isEmpty { print("blocked: \(blocked.map(shown).joined(separator: ", "))") }
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Add a contact.")
        @OptionGroup var options: DeviceOptions
        @Argument(help: "The person's name.")
        var name: String
        @Argument(help: "Their addresses.")
        var address: [String]
        @Option(help: ArgumentHelp("A list to put them on; rules can speak of it.", valueName: "name"))
        var list: [String] = []

        func run() async throws {
            let addresses = try address.map(parseAddress)
            let contact = try await reaching {
                let client = try options.client()
                let id = try await client.newMessageID()
                return try await client.putContact(Contact(id: id, name: name, addresses: addresses, lists: list))
            }
            if options.json { try printJSON(contact) } else { print("added \(contact.id)") }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a contact.")
        @OptionGroup var options: DeviceOptions
        @Argument(help: "Its id.")
        var id: String

        func run() async throws {
            let id = try parseMessageID(id)
            try await reaching { try await options.client().deleteContact(id) }
        }
    }

    struct Block: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take nothing from a sender any more.")
        @OptionGroup var options: DeviceOptions
        @Argument(help: "The sender's address.")
        var address: String

        func run() async throws {
            let address = try parseAddress(address)
            try await reaching {
                let client = try options.client()
                let blocked = try await client.blocked()
                if !blocked.contains(address) { _ = try await client.putBlocked(blocked + [address]) }
            }
        }
    }

    struct Unblock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take messages from a sender again.")
        @OptionGroup var options: DeviceOptions
        @Argument(help: "The sender's address.")
        var address: String

        func run() async throws {
            let address = try parseAddress(address)
            try await reaching {
                let client = try options.client()
                _ = try await client.putBlocked(try await client.blocked().filter { $0 != address })
            }
        }
    }
}
