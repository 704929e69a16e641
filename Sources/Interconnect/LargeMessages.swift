import CPIM
import Logging
import MSRP
import MSRPTransport
import MessageSignalling
import MessagingCore
import MessagingService
import NIOCore
import SDP
import SIP

/// Messages that are too large for a request go over MSRP, in a session made for each (CPM's large message mode).
extension Interconnect {
    /// - Parameter file: what it is, if it goes as one file (RFC 5547).
    func deliverLarge(_ outgoing: Outgoing, _ file: PushedFile? = nil, to peer: Peer) async -> OutboundResult {
        guard let running else { return .temporary }
        do {
            let end = try running.media.end(at: configuration.name, sends: true, file)
            let service: Requests.Service = file == nil ? .large : .file
            let request = invitation(outgoing, service, end.description, running.contact)
            switch await running.stack.invite(request, to: peer) {
            case .unanswered:
                missed(peer)
                return .temporary
            case .refused(let response):
                heard(peer.domain)
                return Problems.result(of: response)
            case .accepted(let call):
                heard(peer.domain)
                let result = await transfer(outgoing, file, end.local, call, running)
                let bye = await running.stack.end(call)
                // MSRP has a status for few refusals; the other side says at the end which it was.
                guard case .permanent = result,
                    let code = bye?.text(Problems.header).flatMap({ Refusal.Code(heard: $0) })
                else { return result }
                return .permanent(code)
            }
        } catch {
            logger.error("a large message cannot be sent", metadata: ["error": "\(type(of: error))"])
            return .temporary
        }
    }

    private func invitation(
        _ outgoing: Outgoing,
        _ service: Requests.Service,
        _ offer: SessionDescription,
        _ contact: String
    ) -> SIPMessage {
        var request = Requests.make(.invite, from: outgoing.from, to: outgoing.to)
        request.append(.contact, contact)
        Requests.mark(&request, as: service)
        outgoing.name(&request)
        request.setBody(ByteBuffer(bytes: offer.bytes), contentType: "application/sdp")
        return request
    }

    private func transfer(
        _ outgoing: Outgoing,
        _ file: PushedFile?,
        _ local: MSRPURI,
        _ call: OutgoingCall,
        _ running: Running
    ) async -> OutboundResult {
        guard let answer = try? SessionDescription(parsing: call.answer.descriptionOctets),
            let way = Self.way(outgoing, file, answer),
            let session = try? running.media.connect(local, to: way.other)
        else { return .permanent(.invalidMessage) }
        defer { session.close() }
        do {
            let size = way.pieces.reduce(0) { $0 + $1.size }
            let message = MSRPSession.Outgoing(contentType: way.type, size: UInt64(size))
            try await session.send(message, content: Content(pieces: way.pieces, service: running.service))
            return .delivered
        } catch let error as MSRPError where error.code == .refused {
            return Self.result(of: error)
        } catch let refusal as Refusal {
            // A file of one's own that is gone will not come back.
            return .permanent(refusal.code)
        } catch {
            return .temporary
        }
    }

    /// How it goes: as a message, or, where a file is taken by itself only, without an envelope.
    private static func way(
        _ outgoing: Outgoing,
        _ file: PushedFile?,
        _ answer: SessionDescription
    ) -> (type: String, pieces: [MessageMapping.Piece], other: (path: [MSRPURI], fingerprint: CertificateFingerprint))?
    {
        if let other = MessageMedia.peer(answer) { return (outgoing.type, outgoing.pieces, other) }
        guard let file, let other = MessageMedia.peer(answer, accepting: file.type) else { return nil }
        return (file.type, [.blob(file.blob, file.bytes)], other)
    }

    private static func result(of error: MSRPError) -> OutboundResult {
        switch error.status {
        case .stopSending?: .permanent(.tooLarge)
        case .forbidden?: .permanent(.forbidden)
        case .badRequest?, .unsupportedMediaType?: .permanent(.invalidMessage)
        default: .temporary
        }
    }
}

/// The octets of a message, read as they are asked for: a message of any size takes little memory.
struct Content: AsyncSequence, Sendable {
    static let step = 256 << 10

    let pieces: [MessageMapping.Piece]
    let service: MessagingService

    struct AsyncIterator: AsyncIteratorProtocol {
        let service: MessagingService
        var rest: ArraySlice<MessageMapping.Piece>
        var offset: Int64 = 0

        mutating func next() async throws -> ByteBuffer? {
            while let piece = rest.first {
                switch piece {
                case .bytes(let bytes):
                    rest.removeFirst()
                    if !bytes.isEmpty { return ByteBuffer(bytes: bytes) }
                case .blob(let hash, let size):
                    let bytes = try await service.readBlob(
                        hash,
                        offset: offset,
                        count: Int(Swift.min(Int64(Content.step), size - offset))
                    )
                    guard !bytes.isEmpty else { throw Refusal(.noLongerStored, "a file is gone") }
                    offset += Int64(bytes.count)
                    if offset >= size {
                        offset = 0
                        rest.removeFirst()
                    }
                    return ByteBuffer(bytes: bytes)
                }
            }
            return nil
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(service: service, rest: pieces[...]) }
}
