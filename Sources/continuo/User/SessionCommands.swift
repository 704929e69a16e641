import ArgumentParser
import ClientWire
import ContinuoClient
import Foundation
import MessagingCore

/// `continuo login`
struct LogIn: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Make this a device of an account: its token is kept here, the password is not."
    )
    @Argument(help: "An address of the account.")
    var address: String
    @Option(help: "Where the server is.")
    var server = "http://127.0.0.1:8080"
    @Option(
        help: ArgumentHelp(
            "Trust these authorities too (PEM); for a certificate of your own making.",
            valueName: "file"
        )
    )
    var ca: String?
    @Option(help: ArgumentHelp("What to call the device here, and for --device.", valueName: "name"))
    var device: String?
    @Option(help: ArgumentHelp("What other devices show, such as \"Bob's laptop\".", valueName: "text"))
    var label: String?
    @Option(help: "mobile, fixed-phone, computer, pda, tablet or other.")
    var kind = "computer"
    @OptionGroup var secret: PasswordOptions
    @Flag(help: "Print JSON, one object a line.")
    var json = false

    func run() async throws {
        guard let kind = DeviceKind(rawValue: kind) else {
            let known = DeviceKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandFailure.misused("'\(kind)' is no kind of device\n    take one of \(known)")
        }
        let address = try parseAddress(address)
        let name = device ?? "\(shown(address).prefix { $0 != "@" })-\(kind.rawValue)"
        guard !DeviceProfile.names(in: DeviceOptions.folder).contains(name) else {
            throw CommandFailure.misused(
                "there is a device '\(name)' already\n    log it out, or give another --device"
            )
        }
        let place = ServerAddress(url: server, authorities: ca)
        let label = label ?? name
        try await reaching {
            let answer = try await ContinuoClient(server: place)
                .logIn(
                    address: address,
                    password: try secret.password(prompt: "Password for \(shown(address)): "),
                    device: DeviceDescription(kind: kind, label: label)
                )
            let description = DeviceProfile.Description(
                server: place,
                account: answer.account,
                device: answer.device,
                address: address,
                label: label,
                kind: kind
            )
            _ = try DeviceProfile.create(
                name: name,
                in: DeviceOptions.folder,
                description: description,
                token: answer.token
            )
            if json { return try printJSON(description) }
            print("'\(label)' is device \(answer.device.rawValue) of \(shown(address)); use it with --device \(name)")
        }
    }
}

/// `continuo logout`
struct LogOut: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout",
        abstract: "End this device: its token is revoked and what it holds here is removed."
    )
    @OptionGroup var options: DeviceOptions
    @Flag(help: "Remove what is here although the server does not answer.")
    var force = false

    func run() async throws {
        let profile = try options.profile()
        try await reaching {
            do {
                try await profile.client().logOut()
            } catch let error as ClientError where force || error.code == .unauthenticated {
                printError("the server was not told: \(error)")
            }
            try profile.remove()
        }
        if !options.json { print("'\(profile.description.label)' is logged out") }
    }
}

/// `continuo devices`
struct Devices: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the account's devices; rename or revoke one; add a SIP phone.",
        subcommands: [List.self, Phone.self, Rename.self, Revoke.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the account's devices.")
        @OptionGroup var options: DeviceOptions

        func run() async throws {
            let devices = try await reaching { try await options.client().devices() }
            if options.json {
                for device in devices { try printJSON(device) }
                return
            }
            printTable(
                [["ID", "KIND", "NAME", "STATE", "LAST SEEN"]]
                    + devices.map { status in
                        [
                            "\(status.device.id.rawValue)", status.device.kind.rawValue,
                            printable(status.device.label) + (status.isThis ? " (this)" : ""),
                            status.isConnected ? "connected" : status.isRegistered ? "registered" : "expired",
                            "\(status.lastSeen)",
                        ]
                    }
            )
        }
    }

    struct Rename: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Give a device another name.")
        @OptionGroup var options: DeviceOptions
        @Argument(help: "Number of the device.")
        var id: Int32
        @Argument(help: "Its new name.")
        var label: String

        func run() async throws {
            var change = DeviceChange()
            change.label = label
            let device = try await reaching { try await options.client().changeDevice(DeviceID(rawValue: id), change) }
            if options.json { try printJSON(device) } else { print("device \(id) is '\(printable(device.label))'") }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Revoke a device: its token and socket end at once.")
        @OptionGroup var options: DeviceOptions
        @Argument(help: "Number of the device.")
        var id: Int32

        func run() async throws {
            try await reaching { try await options.client().revokeDevice(DeviceID(rawValue: id)) }
            if !options.json { print("device \(id) is revoked") }
        }
    }
}
