import ArgumentParser
import ClientWire
import ContinuoServer
import Foundation
import MessagingCore
import NIOHTTP1

/// `continuo device`
struct AccountDevices: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device",
        abstract: "List and revoke an account's devices.",
        subcommands: [List.self, Revoke.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List an account's devices.")
        @OptionGroup var server: OperatorOptions
        @Argument(help: "Number or address of the account.")
        var account: String

        func run() async throws {
            let path = "/operator/accounts/\(segment(account))/devices"
            let list = try await server.client().get(path, as: DeviceList.self)
            if server.json {
                for device in list.devices { try printJSON(device) }
                return
            }
            printTable(
                [["ID", "KIND", "NAME", "STATE", "LAST SEEN"]]
                    + list.devices.map { status in
                        [
                            "\(status.device.id.rawValue)", status.device.kind.rawValue, status.device.label,
                            status.isConnected ? "connected" : status.isRegistered ? "registered" : "expired",
                            "\(status.lastSeen)",
                        ]
                    }
            )
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revoke a device: its token and socket end at once.")
        @OptionGroup var server: OperatorOptions
        @Argument(help: "Number or address of the account.")
        var account: String
        @Argument(help: "Number of the device.")
        var device: Int32

        func run() async throws {
            try await server.client().call(.DELETE, "/operator/accounts/\(segment(account))/devices/\(device)", nil)
            if !server.json { print("device \(device) of \(account) is revoked") }
        }
    }
}

/// `continuo settings`
struct Settings: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the provider's settings (policy, tariff, retention, defaults), or put new ones from a file."
    )
    @OptionGroup var server: OperatorOptions
    @Option(help: ArgumentHelp("Settings as JSON, as this command prints them.", valueName: "file"))
    var put: String?

    func run() async throws {
        let client = try server.client()
        let path = "/operator/settings"
        guard let put else { return try printJSON(try await client.get(path, as: OperatorSettings.self)) }
        guard let bytes = FileManager.default.contents(atPath: put) else {
            throw CommandFailure.misused("\(put) cannot be read")
        }
        print(String(decoding: try await client.call(.PUT, path, bytes), as: UTF8.self))
    }
}

/// `continuo status`
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show live figures of the server.")
    @OptionGroup var server: OperatorOptions

    func run() async throws {
        let status = try await server.client().get("/operator/status", as: StatusDocument.self)
        if server.json { return try printJSON(status) }
        print(
            """
            version      \(status.version)
            started      \(status.started)
            connections  \(status.connections)
            messages     \(status.messages) since the start
            commits      \(status.commits)
            outbox       \(status.outbox)
            """
        )
    }
}

/// `continuo trace`
struct Trace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Tell what happened to a message, device by device.")
    @OptionGroup var server: OperatorOptions
    @Argument(help: "The message's id.")
    var message: String

    func run() async throws {
        let trace = try await server.client().get("/operator/trace/\(segment(message))", as: TraceDocument.self)
        if server.json { return try printJSON(trace) }
        print("message \(trace.message)")
        for box in trace.mailboxes {
            let flags = box.flags.joined(separator: ", ")
            print("  mailbox \(box.account.rawValue) (\(box.name)): item \(box.created), \(flags)")
            for receiver in box.receivers {
                print(
                    "    to \(shown(receiver.address)): \(receiver.state)\(receiver.reason.map { ", \($0.rawValue)" } ?? "")"
                )
            }
            for share in box.devices {
                let entry = share.decision
                let given = "\(entry.deliver)\(entry.silent ? ", silently" : "")"
                print("    \(entry.label): \(entry.because) -> \(given)\(share.acknowledged ? ", acknowledged" : "")")
            }
        }
        for line in trace.ledger { print("  ledger \(line.number): \(line.reason.rawValue) \(line.amount)") }
    }
}

/// `continuo backup`
struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy database and files of a running server to a new folder, and verify the copy."
    )
    @OptionGroup var server: OperatorOptions
    @Argument(help: "A folder that does not exist yet, on the server's machine.")
    var folder: String

    func run() async throws {
        let path = URL(fileURLWithPath: folder).path
        let body = try JSONEncoder().encode(["path": path])
        try await server.client().call(.POST, "/operator/backup", body)
        if server.json { return try printJSON(["path": path]) }
        print("backup complete and verified: \(path)")
    }
}

/// `continuo restore`
struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a data folder of a backup. Devices notice and synchronise anew."
    )
    @Argument(help: "The backup's folder.")
    var backup: String
    @Option(help: ArgumentHelp("The data folder to make; it must hold no database.", valueName: "folder"))
    var data: String?
    @Option(help: ArgumentHelp("A configuration that names the data folder.", valueName: "file"))
    var config: String?
    @Flag(help: "Print JSON, one object a line.")
    var json = false

    func run() async throws {
        let target = try data ?? readConfiguration(config).data
        do {
            let manifest = try await ContinuoServer.restore(from: backup, to: target)
            if json { return try printJSON(manifest) }
            print("restored to \(target): \(manifest.blobs) files, \(formatBytes(manifest.blobBytes)), all verified")
        } catch {
            throw CommandFailure.refused("\(error)")
        }
    }
}
