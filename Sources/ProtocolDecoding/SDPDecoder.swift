internal import SDP

/// Decodes session descriptions.
struct SDPDecoder: ProtocolDecoder {
    let name = "sdp"

    func resembles(_ bytes: [UInt8]) -> Bool { bytes.starts(with: "v=".utf8) }

    func decode(_ bytes: [UInt8]) -> Decoding {
        do {
            return .ok(self.fields(of: try SessionDescription(parsing: bytes)))
        } catch {
            return .rejected(.init(code: error.code.rawValue, offset: error.offset, expected: error.reason))
        }
    }

    private func fields(of description: SessionDescription) -> [JSONValue.Member] {
        var fields: [JSONValue.Member] = [
            .init("origin", .optional(description.origin?.text)),
            .init("session_name", .optional(description.sessionName)),
        ]
        if let connection = description.connection { fields.append(.init("connection", .string(connection.text))) }
        fields.append(.init("session_attributes", .count(description.attributes.count)))
        let media = description.media.map { medium in
            JSONValue.object(self.fields(of: medium, in: description))
        }
        fields.append(.init("media", .array(media)))
        let directions = description.media.map { description.direction(of: $0) }
        fields.append(.init("media_directions", .strings(directions.map(\.rawValue))))
        if let first = directions.first {
            fields.append(.init("answer_direction", .string(first.answering().rawValue)))
        }
        let kinds = Set(description.lines.map(\.kind))
        let missing = [("s", Line.Kind.sessionName), ("t", .time)].filter { !kinds.contains($0.1) }.map(\.0)
        if !missing.isEmpty { fields.append(.init("missing", .strings(missing))) }
        fields += self.messageFields(of: description)
        return fields
    }

    private func fields(of medium: MediaDescription, in description: SessionDescription) -> [JSONValue.Member] {
        var fields: [JSONValue.Member] = [
            .init("type", .string(medium.type)),
            .init("port", .count(medium.port)),
            .init("proto", .string(medium.proto)),
            .init("formats", .strings(medium.formats)),
            .init("attributes", .count(medium.attributes.count)),
        ]
        if let count = medium.portCount { fields.append(.init("port_count", .count(count))) }
        if let connection = medium.connection { fields.append(.init("connection", .string(connection.text))) }
        if description.connection(of: medium)?.isUnspecified ?? false { fields.append(.init("held", .bool(true))) }
        if medium.isRejected { fields.append(.init("rejected", .bool(true))) }
        return fields
    }

    /// What the first MSRP medium states, and why it cannot be used.
    private func messageFields(of description: SessionDescription) -> [JSONValue.Member] {
        guard let medium = description.media.first(where: \.isMSRP), !medium.isRejected else { return [] }
        var fields: [JSONValue.Member] = []
        do {
            let attributes = try MSRPAttributes(of: medium)
            fields += [
                .init("msrp_path_count", .count(attributes.path.count)),
                .init("msrp_path", .strings(attributes.path)),
                .init("msrp_accept_types", .strings(attributes.acceptTypes)),
            ]
        } catch {
            fields.append(.init("msrp", .string("reject the stream: \(error.reason)")))
        }
        do {
            if let selector = try medium.fileSelector() {
                fields.append(.init("file_selector", .string(selector.text)))
            }
        } catch {
            fields.append(.init("file_selector_error", .string(error.reason)))
        }
        return fields
    }
}
