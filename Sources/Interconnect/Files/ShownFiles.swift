import ClientWire
import MessagingCore
public import MessagingService
import NIOCore
import SIP
import SessionCore

/// A file that a user shows in a session stays with the own provider; another one asks for pieces of it as its users'
/// devices need them. Each is a question with an answer (OPTIONS), so that nothing is kept between them.
extension Interconnect {
    /// What is said of a file over the wire.
    struct Shown: Codable, Equatable {
        var sha256: BlobHash
        var bytes: Int64
        var type: String
        var name: String?
    }

    public func shownFile(_ place: PeerFile.Place) async -> PeerFile? {
        guard let response = await ask(place, octets: nil), response.text(.contentType) == SessionMapping.fileType,
            let shown = try? SessionMapping.decode(Shown.self, Array(response.body.readableBytesView)),
            shown.bytes > 0
        else { return nil }
        return PeerFile(
            place: place,
            sha256: shown.sha256,
            bytes: shown.bytes,
            type: shown.type,
            name: shown.name.map { String($0.prefix(Limits.fileNameBytes)) }
        )
    }

    public func shownBytes(_ place: PeerFile.Place, offset: Int64, count: Int) async -> [UInt8]? {
        let count = min(count, InterconnectLimits.shownBytes)
        let response = await ask(place, octets: "\(offset)-\(offset + Int64(count) - 1)")
        guard let bytes = response.map({ Array($0.body.readableBytesView) }), bytes.count <= count else { return nil }
        return bytes
    }

    private func ask(_ place: PeerFile.Place, octets: String?) async -> SIPMessage? {
        guard let domain = place.owner.domain, let peer = peers[domain], !isAway(domain) else { return nil }
        var request = Requests.make(.options, from: place.asker, to: place.owner)
        request.append(Requests.session, place.session.description)
        request.append(Requests.medium, "\(place.medium.rawValue)")
        if let octets { request.append(Requests.octets, octets) }
        guard let response = await exchange(request, with: peer), response.status == 200 else { return nil }
        return response
    }
}

extension Answering {
    /// What a user shows in a session, for whoever takes part in it.
    func shown(
        _ session: SessionID,
        _ medium: String,
        _ context: IncomingContext,
        _ request: PeerRequest
    ) async throws {
        guard let number = Int32(medium) else { throw Refusal(.notFound, "no such medium") }
        let place = PeerFile.Place(
            owner: context.receiver,
            session: session,
            medium: MediumID(rawValue: number),
            asker: context.sender
        )
        guard let octets = request.message.text(Requests.octets) else {
            let file = try await service.shownFile(place)
            let shown = Interconnect.Shown(sha256: file.sha256, bytes: file.bytes, type: file.type, name: file.name)
            return request.respond(200, body: (try SessionMapping.encode(shown), SessionMapping.fileType))
        }
        let ends = octets.split(separator: "-", omittingEmptySubsequences: false).map { Int64($0) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first >= 0, last >= first else {
            throw Refusal(.invalidRequest, "octets: first-last")
        }
        let count = Int(min(last - first, Int64(InterconnectLimits.shownBytes) - 1)) + 1
        let bytes = try await service.shownBytes(place, offset: first, count: count)
        request.respond(200, body: (bytes, "application/octet-stream"))
    }
}
