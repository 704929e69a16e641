import ByteGrammar
import CPIM
import MessagingCore
import MessagingService
import XMLBodies

/// Messages as they go between providers: `message/cpim` (RFC 3862) with disposition requests (RFC 5438).
///
/// Pure: nothing here touches a socket or a file.
enum MessageMapping {
    /// What Continuo says beyond the standard stands in this namespace; whoever does not know it passes it over.
    static let namespace = "urn:continuo:cpim"
    static let prefix = "continuo"
    /// What stands as it is in an extended parameter (RFC 8187, section 3.2.1), or less.
    private static let plainInNames = ByteSet(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8
    )
    static let kindHeader = "Kind"

    /// The headers of a message.
    private static func headers(of envelope: Envelope, reports: [Report], _ more: [CPIMHeader]) -> [CPIMHeader] {
        var headers = [CPIMHeader("From", address: CPIMAddress(uri: envelope.from.description))]
        headers += envelope.to.map { CPIMHeader("To", address: CPIMAddress(uri: $0.description)) }
        headers.append(CPIMHeader("DateTime", value: timestamp(envelope.date).text))
        if let subject = envelope.subject { headers.append(CPIMHeader("Subject", value: subject)) }
        headers +=
            DispositionRequest(messageID: envelope.id.description, kinds: reports.flatMap(\.dispositions)).headers
        guard envelope.kind != .immediate || !more.isEmpty else { return headers }
        headers.append(CPIMHeader("NS", value: "\(prefix) <\(namespace)>"))
        headers.append(CPIMHeader(kindHeader, prefix: prefix, value: envelope.kind.rawValue))
        return headers + more
    }

    static func timestamp(_ time: MessagingCore.Timestamp) -> CPIM.Timestamp {
        let (seconds, milliseconds) = time.rawValue.quotientAndRemainder(dividingBy: 1000)
        return CPIM.Timestamp(unixSeconds: seconds, nanosecond: Int(milliseconds) * 1_000_000)
    }

    /// A piece of a message on its way out.
    enum Piece: Sendable, Equatable {
        case bytes([UInt8])
        case blob(BlobHash, Int64)

        var size: Int64 {
            switch self {
            case .bytes(let bytes): Int64(bytes.count)
            case .blob(_, let size): size
            }
        }
    }

    /// A message in pieces: what stands in files is named, not read.
    /// - Parameter more: headers of the namespace above.
    static func pieces(_ envelope: Envelope, reports: [Report], _ more: [CPIMHeader] = []) -> [Piece] {
        var head: [UInt8] = []
        let parts = envelope.parts.isEmpty ? [Part(type: "text/plain", text: "")] : envelope.parts
        let isMultipart = parts.count > 1
        // Long enough to occur nowhere else, and the same each time the message is sent.
        let boundary = "continuo-\(envelope.id.description.filter { $0.isLetter || $0.isNumber }.prefix(48))"
        let content = isMultipart ? "multipart/mixed; boundary=\"\(boundary)\"" : nil
        let message = CPIMMessage(
            headers: headers(of: envelope, reports: reports, more),
            content: MIMEEntity(
                headers: content.map { [MIMEHeader("Content-Type", $0)] } ?? headers(of: parts[0]),
                body: [] as [UInt8]
            )
        )
        head = message.bytes
        var pieces: [Piece] = []
        for part in parts {
            if isMultipart {
                head += Array("\r\n--\(boundary)\r\n".utf8)
                head += MIMEEntity(headers: headers(of: part), body: [] as [UInt8]).bytes
            }
            if let text = part.text {
                head += Array(text.utf8)
            } else if let blob = part.sha256 {
                pieces += [.bytes(head), .blob(blob, part.bytes)]
                head = []
            }
        }
        if isMultipart { head += Array("\r\n--\(boundary)--\r\n".utf8) }
        return head.isEmpty ? pieces : pieces + [.bytes(head)]
    }

    private static func headers(of part: Part) -> [MIMEHeader] {
        var headers = [
            MIMEHeader(
                "Content-Type",
                part.text != nil && part.type.hasPrefix("text/") ? "\(part.type); charset=utf-8" : part.type
            ),
            MIMEHeader("Content-Length", "\(part.text.map { Int64($0.utf8.count) } ?? part.bytes)"),
        ]
        if let name = part.name {
            let escaped = PercentEncoding.encode(name.utf8, unescaped: plainInNames)
            headers.append(MIMEHeader("Content-Disposition", "attachment; filename*=UTF-8''\(escaped)"))
        } else if part.text == nil {
            headers.append(MIMEHeader("Content-Disposition", "attachment"))
        }
        return headers
    }

    /// A report on a message.
    static func report(
        on message: MessageID,
        to sender: Address,
        from receiver: Address,
        _ disposition: Disposition,
        id: String,
        now: MessagingCore.Timestamp
    ) throws(CPIMError) -> CPIMMessage? {
        let kind: DispositionRequest.Kind
        let notification: IMDNDocument.Notification
        switch disposition {
        case .delivered: (kind, notification) = (.positiveDelivery, .delivery(.delivered))
        case .displayed: (kind, notification) = (.display, .display(.displayed))
        case .failed: (kind, notification) = (.negativeDelivery, .delivery(.failed))
        case .pending: return nil
        }
        var headers = [
            CPIMHeader("From", address: CPIMAddress(uri: sender.description)),
            CPIMHeader("To", address: CPIMAddress(uri: receiver.description)),
            CPIMHeader("DateTime", value: timestamp(now).text),
        ]
        headers += DispositionRequest(messageID: message.description, kinds: [kind]).headers
        // The library makes the report out of the message reported on; its headers are all that counts.
        let original = CPIMMessage(headers: headers, content: MIMEEntity(contentType: "text/plain", body: []))
        return try IMDNReport.message(
            notification,
            on: original,
            from: CPIMAddress(uri: receiver.description),
            messageID: id,
            dateTime: timestamp(now)
        )
    }
}

extension Report {
    /// What is asked for in a message (RFC 5438, section 7.1.1.3).
    var dispositions: [DispositionRequest.Kind] {
        switch self {
        case .delivered: [.positiveDelivery, .negativeDelivery]
        case .displayed: [.display]
        }
    }
}
