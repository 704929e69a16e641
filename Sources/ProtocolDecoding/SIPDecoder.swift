internal import NIOCore
internal import SIP

/// Decodes one SIP message as a datagram carries it.
struct SIPDecoder: ProtocolDecoder {
    let name = "sip"

    func resembles(_ bytes: [UInt8]) -> Bool {
        let rest = bytes.drop { $0 == 0x0D || $0 == 0x0A }
        if rest.starts(with: "SIP/2.0 ".utf8) { return true }
        return rest.prefix { $0 != 0x0A }.split(separator: 0x20).last?.starts(with: "SIP/".utf8) ?? false
    }

    func decode(_ bytes: [UInt8]) -> Decoding {
        let buffer = ByteBuffer(bytes: bytes)
        let answers = SIPAnswers.fields(of: buffer)
        do throws(SIPError) {
            let message = try SIPMessage(parsing: buffer, limits: Self.limits)
            try message.validate()
            return .ok(self.fields(of: message) + self.detailFields(of: message) + answers)
        } catch {
            let failure = Decoding.Failure(
                code: "sip-\(error.code.rawValue)",
                offset: error.offset,
                expected: error.reason
            )
            return Decoding(verdict: .rejected, failure: failure, fields: answers)
        }
    }

    func messages(in stream: [UInt8]) -> [[UInt8]] {
        var rest = ByteBuffer(bytes: stream)
        var messages: [[UInt8]] = []
        while true {
            // Empty lines between messages keep connections alive.
            while let byte = rest.readableBytesView.first, byte == 0x0D || byte == 0x0A {
                rest.moveReaderIndex(forwardBy: 1)
            }
            guard rest.readableBytes > 0 else { return messages }
            // Only Content-Length tells on a stream where a message ends.
            guard let message = try? SIPMessage(parsing: rest, limits: Self.limits),
                let length = try? message.contentLength(), length > 0 || message.bodyLength == 0,
                message.serializedLength <= rest.readableBytes,
                let bytes = rest.readBytes(length: message.serializedLength), !bytes.isEmpty
            else {
                messages.append(Array(rest.readableBytesView))
                return messages
            }
            messages.append(bytes)
        }
    }

    /// Wider than those of a server, so that what a server refuses for its size can still be looked at.
    private static let limits: SIPLimits = {
        var limits = SIPLimits()
        limits.headerFields = 2000
        return limits
    }()

    private func fields(of message: SIPMessage) -> [JSONValue.Member] {
        var fields: [JSONValue.Member] = []
        if let method = message.method {
            let members: [JSONValue.Member] = [
                .init("method", .string(method.rawValue)), .init("uri", .optional(message.uriText)),
            ]
            fields.append(.init("request", .object(members)))
        }
        if let status = message.status {
            let members: [JSONValue.Member] = [
                .init("status", .integer(Int64(status.rawValue))), .init("reason", .optional(message.reasonPhrase)),
            ]
            fields.append(.init("response", .object(members)))
        }
        fields.append(.init("call_id", .optional(try? message.callID())))
        if let cseq = try? message.cSeq() {
            let members: [JSONValue.Member] = [
                .init("number", .integer(Int64(cseq.number))), .init("method", .string(cseq.method.rawValue)),
            ]
            fields.append(.init("cseq", .object(members)))
        }
        fields += [
            .init("from_tag", .optional((try? message.from())?.tag)),
            .init("from_display_name", .optional((try? message.from())?.displayName)),
            .init("to_tag", .optional((try? message.to())?.tag)),
        ]
        fields += self.routeFields(of: message)
        fields += [
            .init("max_forwards", .optional((try? message.maxForwards())?.map { UInt64($0) })),
            .init("subject", .optional(message.text(.subject))),
            .init("header_count", .count(message.fieldCount)),
            .init("content_type", .optional(message.text(.contentType))),
            .init("content_length_header", .optional((try? message.contentLength())?.map { UInt64($0) })),
            .init("body_length", .count(message.bodyLength)),
        ]
        return fields
    }

    /// Via, Contact, Route and Record-Route.
    private func routeFields(of message: SIPMessage) -> [JSONValue.Member] {
        let vias = (try? message.vias()) ?? []
        var fields: [JSONValue.Member] = [.init("via_count", .count(vias.count))]
        if let via = vias.first {
            let members: [JSONValue.Member] = [
                .init("transport", .string(via.transport)), .init("sent_by", .string(via.sentBy.description)),
                .init("branch", .optional(via.branch)), .init("received", .optional(via.received)),
            ]
            fields.append(.init("top_via", .object(members)))
        }
        if let contacts = try? message.contacts() {
            fields.append(.init("contact_count", .count(contacts == .all ? 1 : contacts.addresses.count)))
        }
        for (key, name) in [("route_count", HeaderName.route), ("record_route_count", .recordRoute)] {
            let list = try? message.list(name, as: NameAddress.self)
            fields.append(.init(key, .optional(list.map { UInt64($0.count) })))
        }
        return fields
    }

    /// What fewer people ask for.
    private func detailFields(of message: SIPMessage) -> [JSONValue.Member] {
        let vias = (try? message.vias()) ?? []
        let uri = try? message.requestURI()
        var fields: [JSONValue.Member] = [
            .init("top_via_received", .optional(vias.first?.received)),
            .init("via_hosts", .strings(vias.map(\.sentBy.host))),
            .init("via_transports", .strings(vias.map(\.transport))),
            .init("request_uri_scheme", .optional(uri?.scheme)),
            .init("request_user_decoded", .optional(uri?.sip?.decodedUser)),
            .init("tel_number_canonical", .optional(uri?.tel?.canonicalNumber)),
            .init("supported", .strings((try? message.optionTags(.supported)) ?? [])),
            .init("session_expires", .optional((try? message.sessionExpires())?.map { UInt64($0.seconds) })),
        ]
        if let rack = try? message.value(.rAck, as: RAck.self) {
            let members: [JSONValue.Member] = [
                .init("rseq", .integer(Int64(rack.responseNumber))), .init("cseq", .integer(Int64(rack.number))),
                .init("method", .string(rack.method.rawValue)),
            ]
            fields.append(.init("rack", .object(members)))
        }
        if let contact = (try? message.contacts())?.addresses.first {
            fields += [
                .init("contact_display_name_decoded", .optional(contact.displayName)),
                .init("contact_header_params", .strings(contact.parameters.items.map(\.name))),
                .init("contact_uri_params", .strings(contact.uri.sip?.parameters.items.map(\.name) ?? [])),
                .init("contact_uri_headers", .strings(contact.uri.sip?.headers.map(\.name) ?? [])),
            ]
        }
        return fields
    }
}
