import ByteGrammar
import NIOCore

extension SIPMessage {
    /// Makes the response to a request (RFC 3261 section 8.2.6): Via, From, To, Call-ID, CSeq and Timestamp (for 100)
    /// come byte for byte from the request; Content-Length is 0.
    ///
    /// - Parameters:
    ///   - status: The status.
    ///   - request: The request; it may be one that did not parse completely.
    ///   - toTag: The tag to add to To when it has none. Nothing is added to a 100.
    ///   - reason: The reason phrase, nil for the usual one.
    public init(_ status: SIPStatus, to request: SIPMessage, toTag: String? = nil, reason: String? = nil) {
        self.init(status: status, reason: reason)
        self.fields.reserveCapacity(request.fields.count + 2)
        for field in request.fields {
            switch HeaderName(id: field.id) {
            case .via, .from, .callID, .cSeq:
                self.copy(field, from: request)
            case .to:
                guard status != 100, let toTag, !request.isTagged(field) else {
                    self.copy(field, from: request)
                    continue
                }
                self.appendTo(field, of: request, tag: toTag)
            case .timestamp where status == 100:
                self.copy(field, from: request)
            default:
                break
            }
        }
        self.append(.contentLength, "0")
    }

    /// Adds the To of a request with a tag.
    private mutating func appendTo(_ field: FieldLine, of request: SIPMessage, tag: String) {
        let bytes = request.storage.readableBytesUInt8Span
        guard
            ByteSearch.firstOffset(of: 0x0A, in: bytes.bytes, from: field.value.lowerBound, to: field.value.upperBound)
                == nil
        else { return self.append(.to, "\(request.valueText(field));tag=\(tag)") }
        let line = self.makeLine(.to) { buffer in
            buffer.writeBytes(request.storage.readableBytesSpan.extracting(field.value))
            buffer.writeStaticString(";tag=")
            buffer.writeString(tag)
        }
        self.fields.append(line)
    }

    /// Whether To has a tag, or looks so when it cannot be read.
    private func isTagged(_ field: FieldLine) -> Bool {
        do throws(SIPError) {
            return try self.tag(of: .to) != nil
        } catch {
            return self.valueText(field).contains(";tag=")
        }
    }

    /// Copies Record-Route from the request, as every response that makes a dialog must (RFC 3261 section 12.1.1).
    public mutating func copyRecordRoute(from request: SIPMessage) { self.copy(.recordRoute, from: request) }

    /// Makes the ACK for a final response to this INVITE that is no 2xx (RFC 3261 section 17.1.1.3).
    ///
    /// - Returns: nil when this is no INVITE.
    public func acknowledgement(for response: SIPMessage) -> SIPMessage? {
        guard self.method == .invite else { return nil }
        return self.derived(.ack, toFrom: response)
    }

    /// Makes the CANCEL for this request (RFC 3261 section 9.1).
    ///
    /// - Parameter reason: A value for Reason (RFC 3326), such as `SIP;cause=200;text="Call completed elsewhere"`.
    /// - Returns: nil when the request must not be cancelled: an ACK, a CANCEL, or a response.
    public func cancellation(reason: String? = nil) -> SIPMessage? {
        guard let method = self.method, method != .ack, method != .cancel else { return nil }
        var cancel = self.derived(.cancel, toFrom: self)
        if let reason { cancel.append(.reason, reason) }
        return cancel
    }

    /// A request of the same transaction: same Request-URI, topmost Via, Route, From, Call-ID and CSeq number.
    private func derived(_ method: SIPMethod, toFrom source: SIPMessage) -> SIPMessage {
        var request = SIPMessage(method: method, uri: self.uriText ?? "")
        if let via = try? self.topVia() { request.append(.via, via.description) }
        request.append(.maxForwards, "70")
        request.copy(.route, from: self)
        request.copy(.from, from: self)
        request.copy(.to, from: source)
        request.copy(.callID, from: self)
        request.append(.cSeq, CSeq(number: (try? self.cSeq())?.number ?? 0, method: method).description)
        request.append(.contentLength, "0")
        return request
    }
}
