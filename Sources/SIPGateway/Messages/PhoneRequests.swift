import CPIM
import MessagingCore
import NIOCore
import SIP
import XMLBodies

/// Builds what is sent to phones.
enum PhoneRequests {
    /// A MESSAGE (RFC 3428) outside of a dialog.
    ///
    /// - Parameters:
    ///   - sequence: higher with each attempt: the Call-ID is the same, so that a phone can tell a repetition.
    static func message(
        to binding: Binding,
        from: Address,
        own: Address,
        callID: String,
        sequence: UInt32,
        tag: String
    ) -> SIPMessage {
        request(.message, to: binding, from: from, own: own, callID: callID, sequence: sequence, tag: tag)
    }

    /// A request to a phone outside of a dialog.
    static func request(
        _ method: SIPMethod,
        to binding: Binding,
        from: Address,
        own: Address,
        callID: String,
        sequence: UInt32,
        tag: String
    ) -> SIPMessage {
        var request = SIPMessage(method: method, uri: binding.contact.uri.description)
        request.append(.maxForwards, "70")
        for route in binding.path { request.append(.route, route.description) }
        request.append(.from, "<\(from)>;tag=\(tag)")
        request.append(.to, "<\(own)>")
        request.append(.callID, callID)
        request.append(.cSeq, "\(sequence) \(method)")
        return request
    }

    /// The body of a message, and its type.
    static func body(
        _ message: PhoneMessage,
        _ form: PhoneQueue.Form,
        own: Address,
        link: @autoclosure () -> String
    ) -> (bytes: [UInt8], type: String) {
        switch form {
        case .notice: (Array(notice(message, link: link()).utf8), plainType)
        case .plain: (Array(text(message).utf8), plainType)
        case .cpim: (cpim(message, own: own).bytes, CPIMMessage.contentType)
        }
    }

    /// Words of the server's own: as CPIM they ask for no report.
    static func body(
        _ word: PhoneWord,
        _ form: PhoneQueue.Form,
        own: Address,
        now: MessagingCore.Timestamp
    ) -> (bytes: [UInt8], type: String) {
        guard form == .cpim else { return (Array(word.text.utf8), plainType) }
        let headers =
            [
                CPIMHeader("From", address: CPIMAddress(uri: word.from.description)),
                CPIMHeader("To", address: CPIMAddress(uri: own.description)),
                CPIMHeader("DateTime", value: now.cpim.text),
            ] + DispositionRequest(messageID: word.callID, kinds: []).headers
        let content = MIMEEntity(contentType: plainType, body: Array(word.text.utf8))
        return (CPIMMessage(headers: headers, content: content).bytes, CPIMMessage.contentType)
    }

    /// The body of a request that still fits a datagram with all header fields (RFC 3428, section 8).
    static let datagramBodyBytes = 1000

    static let plainType = "text/plain;charset=UTF-8"

    /// The text with its subject before it.
    static func text(_ message: PhoneMessage) -> String {
        guard let subject = message.subject, !subject.isEmpty else { return message.text }
        return message.text.isEmpty ? subject : "\(subject)\n\(message.text)"
    }

    /// What stands for a message that the phone is not given: what about, what kind, how large, and where it is.
    static func notice(_ message: PhoneMessage, link: String) -> String {
        let subject = message.subject.map { "\($0) " } ?? ""
        let types = Set(message.types).sorted().joined(separator: ", ")
        return "\(subject)(\(types), \(size(message.bytes))): \(link)"
    }

    private static func size(_ bytes: Int64) -> String {
        switch bytes {
        case ..<1024: "\(bytes) bytes"
        case ..<(1 << 20): "\((bytes + 1023) >> 10) KiB"
        default: "\((bytes + (1 << 20) - 1) >> 20) MiB"
        }
    }

    /// The message as CPIM (RFC 3862) that asks to be told when it was shown (RFC 5438), whether or not its sender
    /// wants to know: read on the phone is read everywhere.
    static func cpim(_ message: PhoneMessage, own: Address) -> CPIMMessage {
        var headers = [
            CPIMHeader("From", address: CPIMAddress(uri: message.from.description)),
            CPIMHeader("To", address: CPIMAddress(uri: own.description)),
            CPIMHeader("DateTime", value: message.date.cpim.text),
        ]
        if let subject = message.subject { headers.append(CPIMHeader("Subject", value: subject)) }
        headers +=
            DispositionRequest(messageID: message.id.description, kinds: [.positiveDelivery, .display]).headers
        let content = MIMEEntity(contentType: plainType, body: Array(message.text.utf8))
        return CPIMMessage(headers: headers, content: content)
    }

    /// What became of a message that was written on the phone (RFC 5438, section 7.2.1).
    static func report(_ report: PhoneReport, own: Address) -> CPIMMessage {
        let notification: IMDNDocument.Notification =
            switch report.state {
            case .displayed: .display(.displayed)
            case .failed: .delivery(.failed)
            case .delivered, .pending: .delivery(.delivered)
            }
        let document = IMDNDocument(
            messageID: report.id.description,
            dateTime: report.since.cpim.text,
            recipientURI: report.receiver.description,
            originalRecipientURI: report.receiver.description,
            notification: notification
        )
        let headers =
            [
                CPIMHeader("From", address: CPIMAddress(uri: report.receiver.description)),
                CPIMHeader("To", address: CPIMAddress(uri: own.description)),
                CPIMHeader("DateTime", value: report.since.cpim.text),
            ] + DispositionRequest(messageID: reportID(report), kinds: []).headers
        let content = MIMEEntity(
            headers: [
                MIMEHeader("Content-Type", IMDNDocument.contentType),
                MIMEHeader("Content-Disposition", "notification"),
            ],
            body: document.bytes
        )
        return CPIMMessage(headers: headers, content: content)
    }

    /// The report's own id: the same when it is sent again.
    static func reportID(_ report: PhoneReport) -> String {
        "\(report.state.name).\(CallIDs.digest("\(report.id) \(report.receiver)"))"
    }
}

extension MessagingCore.Timestamp {
    /// The same time as CPIM writes it (RFC 3862, section 4.4).
    var cpim: CPIM.Timestamp {
        let seconds = rawValue >= 0 ? rawValue / 1000 : (rawValue - 999) / 1000
        return CPIM.Timestamp(unixSeconds: seconds, nanosecond: Int(rawValue - seconds * 1000) * 1_000_000)
    }

    /// As SIP writes it in Date (RFC 3261, section 20.17).
    var sipDate: String { SIPDate.text(unixSeconds: cpim.unixSeconds) }
}
