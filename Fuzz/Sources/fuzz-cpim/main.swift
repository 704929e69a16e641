import CPIM
import FuzzSupport

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What is printed must be read again and printed the same, and every view must survive any message.
func check(_ bytes: [UInt8]) {
    guard let message = try? CPIMMessage(parsing: bytes) else { return }
    let printed = message.bytes
    guard let again = try? CPIMMessage(parsing: printed) else { fatalError("what was printed is not read") }
    precondition(again.bytes == printed, "what was printed is printed differently")
    _ = (message.from, message.to, message.cc, message.dateTime?.text, message.subjects, message.required)
    _ = message.requirementsNotMet { _, _ in false }
    _ = (message.content.mediaType, message.content.disposition, try? message.content.decodedBody())
    guard let request = DispositionRequest(message) else { return }
    var reporter = DispositionReporter(request)
    let time = Timestamp(unixSeconds: 0)
    for notification in reporter.handle(.displayed) {
        let report = try? IMDNReport.message(
            notification,
            on: message,
            from: CPIMAddress(uri: "sip:a@example.com"),
            messageID: "r",
            dateTime: time
        )
        guard let report else { continue }
        let parsed = try? CPIMMessage(parsing: report.bytes)
        precondition(parsed?.isNotification == true, "a report is no notification")
        let documents = parsed.flatMap { try? IMDNReport.notifications(in: $0) }
        precondition(documents?.first?.notification == notification, "a report lost what it reports")
    }
}

exit(runFuzzer(check))
