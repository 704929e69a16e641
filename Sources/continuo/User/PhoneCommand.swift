import ArgumentParser
import ClientWire
import ContinuoClient
import Foundation
import MessagingCore

extension Devices {
    /// `continuo devices phone`
    struct Phone: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a device for a SIP phone, and print what to enter into it.",
            discussion: "The password is shown this once. 'continuo devices revoke' takes the phone away again."
        )
        @OptionGroup var options: DeviceOptions
        @Argument(help: "What to call the phone.")
        var label: String
        @Option(help: "mobile, fixed-phone, computer, pda, tablet or other.")
        var kind: String = DeviceKind.fixedPhone.rawValue
        @Flag(help: "The phone takes message/cpim; without this the server finds out.")
        var cpim = false

        func run() async throws {
            guard let kind = DeviceKind(rawValue: kind) else {
                let kinds = DeviceKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw CommandFailure.misused("'\(kind)' is no kind of device: write one of \(kinds)")
            }
            let request = PhoneRequest(label: label, kind: kind, cpim: cpim ? true : nil)
            let phone = try await reaching { try await options.client().addPhone(request) }
            if options.json { return try printJSON(phone) }
            printTable(
                [
                    ["device", "\(phone.device.id.rawValue) (\(printable(phone.device.label)))"],
                    ["address", "\(phone.address)"],
                    ["user", phone.user],
                    ["password", phone.password],
                    ["realm", phone.realm],
                ] + phone.servers.map { ["server", $0] }
            )
        }
    }
}
