import ArgumentParser
import ClientWire
import Foundation
import MessagingCore
import NIOHTTP1

/// `continuo account`
struct Accounts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Make, list and change accounts; their credit and ledger.",
        subcommands: [Create.self, List.self, Show.self, Change.self, Credit.self, Ledger.self]
    )

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make an account.")
        @OptionGroup var server: OperatorOptions
        @OptionGroup var secret: PasswordOptions
        @Argument(help: "Its addresses; the first is the principal one.")
        var address: [String]
        @Option(help: "The person's name; the address's local part if left out.")
        var name: String?
        @Option(help: "Credit to begin with; the operator's default if left out.")
        var balance: Int64?

        func run() async throws {
            let addresses = try address.map(parseAddress)
            guard let first = addresses.first else { throw CommandFailure.misused("an account needs an address") }
            let request = AccountRequest(
                name: name ?? String(shown(first).prefix { $0 != "@" }),
                addresses: addresses,
                password: try secret.password(prompt: "Password for \(shown(first)): "),
                balance: balance
            )
            let made = try await server.client()
                .send(.POST, "/operator/accounts", request, as: AccountDocument.self)
            try show(made, server.json)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List all accounts.")
        @OptionGroup var server: OperatorOptions

        func run() async throws {
            let client = try server.client()
            var after: AccountID?
            var rows = [["ID", "NAME", "ADDRESSES", "BALANCE", "USED", ""]]
            repeat {
                let query = after.map { "?after=\($0.rawValue)" } ?? ""
                let page = try await client.get("/operator/accounts\(query)", as: AccountPage.self)
                for account in page.accounts {
                    if server.json { try printJSON(account) }
                    rows.append([
                        "\(account.id.rawValue)", account.name,
                        account.addresses.map(shown).joined(separator: ", "), "\(account.balance)",
                        formatBytes(account.usedBytes), account.suspended ? "suspended" : "",
                    ])
                }
                after = page.next
            } while after != nil
            if !server.json { printTable(rows) }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one account.")
        @OptionGroup var server: OperatorOptions
        @Argument(help: "Number or address.")
        var account: String

        func run() async throws {
            let path = "/operator/accounts/\(segment(account))"
            try show(try await server.client().get(path, as: AccountDocument.self), server.json)
        }
    }

    struct Change: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change an account: name, addresses, suspension, password, quota."
        )
        @OptionGroup var server: OperatorOptions
        @Argument(help: "Number or address.")
        var account: String
        @Option(help: "New name.")
        var name: String?
        @Option(help: "All addresses anew; may be given several times.")
        var address: [String] = []
        @Flag(inversion: .prefixedNo, help: "Whether the account is suspended.")
        var suspended: Bool?
        @Option(help: ArgumentHelp("A file with a new password.", valueName: "file"))
        var passwordFile: String?
        @Option(help: "Bytes the account may store.")
        var quota: Int64?

        func run() async throws {
            let client = try server.client()
            let path = "/operator/accounts/\(segment(account))"
            var change = AccountChange()
            change.name = name
            change.addresses = address.isEmpty ? nil : try address.map(parseAddress)
            change.suspended = suspended
            if passwordFile != nil {
                let options = try PasswordOptions.parse(["--password-file", passwordFile ?? ""])
                change.password = try options.password(prompt: "")
            }
            if let quota {
                var entitlement = Entitlement()
                let now = try await client.get(path, as: AccountDocument.self)
                entitlement.quotaBytes = quota
                entitlement.maximumMessageBytes = now.maximumMessageBytes
                entitlement.canSend = now.canSend
                entitlement.storesReceived = now.storesReceived
                entitlement.storesSent = now.storesSent
                change.entitlement = entitlement
            }
            try show(try await client.send(.PATCH, path, change, as: AccountDocument.self), server.json)
        }
    }

    struct Credit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Book credit by hand.")
        @OptionGroup var server: OperatorOptions
        @Argument(help: "Number or address.")
        var account: String
        @Argument(help: "How much.")
        var amount: Int64
        @Flag(help: "Take it away instead.")
        var take = false
        @Option(help: "What the ledger says about it.")
        var note: String?

        func run() async throws {
            let path = "/operator/accounts/\(segment(account))/credit"
            let changed = try await server.client()
                .send(.POST, path, CreditRequest(amount: take ? -amount : amount, note: note), as: AccountDocument.self)
            try show(changed, server.json)
        }
    }

    struct Ledger: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show an account's ledger, newest first.")
        @OptionGroup var server: OperatorOptions
        @Argument(help: "Number or address.")
        var account: String
        @Option(help: "How many lines at most.")
        var limit = 50

        func run() async throws {
            let path = "/operator/accounts/\(segment(account))/ledger?limit=\(limit)"
            let page = try await server.client().get(path, as: LedgerPage.self)
            try printLedger(page, json: server.json)
        }
    }

    private static func show(_ account: AccountDocument, _ json: Bool) throws {
        if json { return try printJSON(account) }
        print(
            """
            account    \(account.id.rawValue)\(account.suspended ? " (suspended)" : "")
            name       \(account.name)
            addresses  \(account.addresses.map(shown).joined(separator: ", "))
            balance    \(account.balance)
            storage    \(formatBytes(account.usedBytes)) of \(formatBytes(account.quotaBytes))
            """
        )
    }
}

/// Prints a page of a ledger.
func printLedger(_ page: LedgerPage, json: Bool) throws {
    if json {
        for line in page.lines { try printJSON(line) }
        return
    }
    printTable(
        [["NO", "TIME", "REASON", "AMOUNT", "BALANCE", "MESSAGE"]]
            + page.lines.map { line in
                [
                    "\(line.number)", "\(line.time)", line.reason.rawValue, "\(line.amount)", "\(line.balance)",
                    line.message?.description ?? line.note ?? "",
                ]
            }
    )
}

/// An address as people write it, without its scheme.
func shown(_ address: Address) -> String {
    let text = address.description
    return text.hasPrefix("sip:") ? String(text.dropFirst(4)) : text
}

/// Reads an address as typed.
func parseAddress(_ text: String) throws -> Address {
    do {
        return try Address(text)
    } catch {
        throw CommandFailure.misused("'\(text)' is no address: \(error)\n    write name@domain")
    }
}

/// A number of bytes as people say it.
func formatBytes(_ bytes: Int64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 1024, unit < units.count - 1 {
        value /= 1024
        unit += 1
    }
    return unit == 0 ? "\(bytes) B" : String(format: "%.1f \(units[unit])", value)
}
