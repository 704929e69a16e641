import ArgumentParser
import ClientWire
import ContinuoClient
import Foundation
import MessagingCore

/// `continuo files`
struct Files: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The personal area: files kept by the provider, on no device in particular.",
        subcommands: [List.self, Put.self, Get.self, Remove.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the files.")
        @OptionGroup var options: DeviceOptions

        func run() async throws {
            let files = try await reaching { try await all(options.client()) }
            if options.json {
                for file in files { try printJSON(file) }
                return
            }
            printTable(
                [["ID", "NAME", "TYPE", "SIZE", "STORED"]]
                    + files.map { [$0.id, printable($0.name), $0.type, formatBytes($0.bytes), "\($0.stored)"] }
            )
        }
    }

    struct Put: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Store a file.")
        @OptionGroup var options: DeviceOptions
        @Argument(help: "Path of the file.")
        var path: String

        func run() async throws {
            let profile = try options.profile()
            let file = try await reaching {
                let client = try profile.client()
                let upload = try await uploadFile(path, client, profile, json: options.json)
                return try await client.putFile(upload: upload.id, name: nil)
            }
            if options.json { try printJSON(file) } else { print("stored \(printable(file.name)) as \(file.id)") }
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Bring a file here.")
        @OptionGroup var options: DeviceOptions
        @Argument(help: "Its id or name.")
        var file: String
        @Option(
            help: ArgumentHelp("Where to; a file of its name in the working folder if left out.", valueName: "path")
        )
        var output: String?

        func run() async throws {
            try await reaching {
                let client = try options.client()
                let found = try await find(file, client)
                let path = output ?? safeFileName(found.name, fallback: "file")
                let bar = ProgressBar(printable(found.name), json: options.json)
                try await client.downloadFile(found, to: path) { bar.show($0) }
                if options.json { try printJSON(found) } else { print("saved \(path)") }
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete",
            abstract: "Remove a file from the personal area."
        )
        @OptionGroup var options: DeviceOptions
        @Argument(help: "Its id or name.")
        var file: String

        func run() async throws {
            try await reaching {
                let client = try options.client()
                try await client.deleteFile(try await find(file, client).id)
            }
        }
    }

    private static func all(_ client: ContinuoClient) async throws -> [FileDocument] {
        var files: [FileDocument] = []
        var before: ChangeNumber?
        repeat {
            let page = try await client.files(before: before)
            files += page.files
            before = page.next
        } while before != nil
        return files
    }

    private static func find(_ name: String, _ client: ContinuoClient) async throws -> FileDocument {
        let files = try await all(client)
        guard let file = files.first(where: { $0.id == name }) ?? files.first(where: { $0.name == name }) else {
            throw CommandFailure.refused("there is no file '\(name)'")
        }
        return file
    }
}

/// `continuo me`
struct Me: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Your account: addresses, balance, storage, ledger, password.",
        subcommands: [Show.self, Ledger.self, Password.self],
        defaultSubcommand: Show.self
    )

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the account.")
        @OptionGroup var options: DeviceOptions

        func run() async throws {
            let account = try await reaching { try await options.client().account() }
            if options.json { return try printJSON(account) }
            print(
                """
                name       \(printable(account.name))
                addresses  \(account.addresses.map(shown).joined(separator: ", "))
                balance    \(account.balance)
                storage    \(formatBytes(account.usedBytes)) of \(formatBytes(account.quotaBytes))
                """
            )
        }
    }

    struct Ledger: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the ledger, newest first.")
        @OptionGroup var options: DeviceOptions
        @Option(help: "How many lines at most.")
        var limit = 50

        func run() async throws {
            let page = try await reaching { try await options.client().ledger(limit: limit) }
            try printLedger(page, json: options.json)
        }
    }

    struct Password: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change the password.")
        @OptionGroup var options: DeviceOptions
        @Option(help: ArgumentHelp("A file with the old password.", valueName: "file"))
        var oldFile: String?
        @Option(help: ArgumentHelp("A file with the new one.", valueName: "file"))
        var newFile: String?

        func run() async throws {
            func password(_ file: String?, _ prompt: String) throws -> String {
                try PasswordOptions.parse(file.map { ["--password-file", $0] } ?? []).password(prompt: prompt)
            }
            let old = try password(oldFile, "Old password: ")
            let new = try password(newFile, "New password: ")
            try await reaching { try await options.client().changePassword(old: old, new: new) }
            if !options.json { print("the password is changed; devices stay logged in") }
        }
    }
}
