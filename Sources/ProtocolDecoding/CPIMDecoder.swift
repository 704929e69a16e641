internal import CPIM
internal import XMLBodies

/// Decodes `message/cpim`, bare or within a MIME entity.
struct CPIMDecoder: ProtocolDecoder {
    let name = "cpim"

    func resembles(_ bytes: [UInt8]) -> Bool {
        let line = bytes.prefix { $0 != 0x0A }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return false }
        let name = String(decoding: line[..<colon], as: UTF8.self)
        if name.lowercased().hasPrefix("content-") { return true }
        let core = ["From", "To", "cc", "DateTime", "Subject", "NS", "Require"]
        // SIP headers look alike, but a SIP message begins with its start line.
        return core.contains(name) || (name.contains(".") && !name.contains(" "))
    }

    func decode(_ bytes: [UInt8]) -> Decoding {
        do {
            let isEntity = bytes.prefix(8).elementsEqual("content-".utf8, by: { $0 | 0x20 == $1 | 0x20 })
            return .ok(isEntity ? try self.entityFields(bytes) : try self.fields(of: CPIMMessage(parsing: bytes)))
        } catch {
            return .rejected(.init(code: error.code.rawValue, offset: error.offset, expected: error.reason))
        }
    }

    /// A whole MIME entity: a message with its Content-Type, or a multipart that holds one.
    private func entityFields(_ bytes: [UInt8]) throws(CPIMError) -> [JSONValue.Member] {
        let entity = try MIMEEntity(parsing: bytes)
        var fields: [JSONValue.Member] = [.init("outer_content_type", .optional(entity.header("Content-Type")))]
        let type = entity.effectiveMediaType
        fields.append(.init("content_type_main", .string(type.essence)))
        if type.type == "multipart" {
            fields.append(.init("multipart_parts", .count(try Multipart(entity).parts.count)))
            let message = try entity.leaves().first { $0.effectiveMediaType.essence == CPIMMessage.contentType }
            if let message { fields += try self.fields(of: CPIMMessage(parsing: message.decodedBody())) }
        } else if type.essence == CPIMMessage.contentType {
            fields += try self.fields(of: CPIMMessage(parsing: entity.decodedBody()))
        }
        return fields
    }

    private func fields(of message: CPIMMessage) throws(CPIMError) -> [JSONValue.Member] {
        var fields: [JSONValue.Member] = [
            .init("from_uri", .optional(message.from?.uri)),
            .init("from_name", .optional(message.from?.name)),
            .init("to", .strings(message.to.map(\.uri))),
            .init("to_count", .count(message.to.count)),
            .init("cc_count", .count(message.cc.count)),
        ]
        if let time = message.dateTime { fields.append(.init("datetime_unix", self.unix(time))) }
        if !message.subjects.isEmpty { fields.append(.init("subjects", .strings(message.subjects.map(\.text)))) }
        if !message.required.isEmpty { fields.append(.init("required", .strings(message.required))) }
        if let header = message.headers.first(where: { !$0.parameters.isEmpty }) {
            let parameters = header.parameters.map { JSONValue.Member($0.name, .string($0.value)) }
            fields.append(.init("header", .string(header.fullName)))
            fields.append(.init("params", .object(parameters)))
            fields.append(.init("value", .optional(try? header.value())))
        }
        let expanded = message.resolvedHeaders.compactMap { resolved -> JSONValue? in
            guard let namespace = resolved.namespace, namespace != CPIMNamespace.core else { return nil }
            return .strings([namespace, resolved.header.name, (try? resolved.header.value()) ?? ""])
        }
        fields.append(.init("expanded", .array(expanded)))
        fields += self.requestFields(of: message)
        fields += self.contentFields(of: message)
        return fields
    }

    private func unix(_ time: Timestamp) -> JSONValue {
        guard time.nanosecond > 0 else { return .integer(time.unixSeconds) }
        return .number(Double(time.unixSeconds) + Double(time.nanosecond) / 1_000_000_000)
    }

    /// What the message asks to be told, and what its recipient would send.
    private func requestFields(of message: CPIMMessage) -> [JSONValue.Member] {
        guard let request = DispositionRequest(message) else { return [] }
        var fields: [JSONValue.Member] = [
            .init("imdn_message_id", .string(request.messageID)),
            .init("imdn_requested", .strings(request.kinds.map(\.rawValue))),
        ]
        var reporter = DispositionReporter(request)
        var sends: [String] = []
        if !reporter.handle(.delivered).isEmpty { sends.append("delivered now") }
        if !reporter.handle(.displayed).isEmpty { sends.append("displayed when shown") }
        fields.append(.init("recipient_sends", .strings(sends)))
        let recipient = CPIMAddress(uri: message.to.first?.uri ?? "")
        let report = try? IMDNReport.message(
            .delivery(.delivered),
            on: message,
            from: recipient,
            messageID: "report",
            dateTime: Timestamp(unixSeconds: 0)
        )
        guard let report, !request.kinds.isEmpty else { return fields }
        fields.append(.init("notification_goes_to", .optional(IMDNReport.nextHop(of: report))))
        let route = report.headers(named: "IMDN-Route", in: CPIMNamespace.imdn)
        let lines = route.map { header in
            let address = (try? CPIMAddress(header)) ?? CPIMAddress(uri: header.encodedValue)
            return "IMDN-Route: " + (address.name.map { "\($0) " } ?? "") + "<\(address.uri)>"
        }
        fields.append(.init("notification_headers", .strings(lines)))
        let document = (try? IMDNReport.notifications(in: report))?.first
        fields.append(.init("original_recipient_uri", .optional(document?.originalRecipientURI)))
        return fields
    }

    private func contentFields(of message: CPIMMessage) -> [JSONValue.Member] {
        let content = message.content
        var fields: [JSONValue.Member] = [
            .init("content_type", .optional(content.mediaType?.essence)),
            .init("content_disposition", .optional(content.disposition)),
            .init("body_length", .count(content.body.count)),
            .init("body", .optional(String(validating: content.body, as: UTF8.self))),
        ]
        if content.header("Content-Transfer-Encoding") != nil || content.header("Content-Encoding") != nil {
            let decoded = try? content.decodedBody()
            let text = decoded.flatMap { String(validating: $0, as: UTF8.self) }
            fields.append(.init("body_decoded", .optional(text)))
        }
        if content.effectiveMediaType.type == "multipart" {
            fields.append(.init("multipart_parts", .optional((try? Multipart(content)).map { UInt64($0.parts.count) })))
        }
        if message.isNotification, let document = (try? IMDNReport.notifications(in: message))?.first {
            fields += XMLBodyDecoder.fields(of: document)
        }
        return fields
    }
}
