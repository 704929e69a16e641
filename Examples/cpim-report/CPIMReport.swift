import CPIM
import Foundation

/// `cpim-report URI < message.cpim`: shows a message/cpim, and prints the reports that its sender asked for as its
/// reader at this URI would send them after showing it.
@main
enum CPIMReport {
    static func main() {
        guard CommandLine.arguments.count == 2 else { Self.fail("cpim-report URI < message.cpim") }
        let reader = CPIMAddress(uri: CommandLine.arguments[1])
        let octets = Array(FileHandle.standardInput.readDataToEndOfFile())
        do {
            let message = try CPIMMessage(parsing: octets)
            print("\(message.from?.uri ?? "somebody"): \(String(decoding: message.content.body, as: UTF8.self))")
            for report in try Self.reports(on: message, from: reader) {
                print("\nto \(IMDNReport.nextHop(of: report) ?? "the sender"):")
                print(String(decoding: report.bytes, as: UTF8.self))
            }
        } catch {
            Self.fail("\(error)")
        }
    }

    static func reports(on message: CPIMMessage, from reader: CPIMAddress) throws -> [CPIMMessage] {
        var reporter = DispositionReporter(DispositionRequest(message))
        return try reporter.handle(.displayed).map { notification in
            try IMDNReport.message(
                notification,
                on: message,
                from: reader,
                messageID: String(UInt64.random(in: .min ... .max), radix: 36),
                dateTime: Timestamp(unixSeconds: Int64(Date().timeIntervalSince1970))
            )
        }
    }

    private static func fail(_ text: String) -> Never {
        FileHandle.standardError.write(Data((text + "\n").utf8))
        exit(1)
    }
}
