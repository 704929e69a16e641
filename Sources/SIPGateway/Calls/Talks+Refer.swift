import ClientWire
import MessagingCore
import MessagingService
import NIOCore
import SIP
import SIPTransport
import SessionCore
import Store

/// REFER from a phone (RFC 3515): its call goes on on another device of its account, or to another user.
extension Talks {
    /// Whom a REFER names.
    private enum Target {
        case device(DeviceID)
        /// By the GRUU of a phone that gave its instance.
        case phone(SIPURI)
        case user(Address)
        /// Who is at the other end of another call of this phone, which that user leaves for this one.
        case joined(Address, SessionID)
        case refused(SIPStatus, String?)
    }

    /// Outside of the call's dialog, which Target-Dialog (RFC 4538) names.
    func refer(_ transaction: ServerTransaction) {
        let request = transaction.request
        guard request.contains(.targetDialog) else { return refuse(transaction, 403, "Name a dialog of this phone") }
        guard let value = try? request.value(.targetDialog, as: DialogReference.self),
            let id = value.dialogID(.targetDialog)
        else { return refuse(transaction, 400) }
        switch NamedDialog(id, for: identity.account, in: context) {
        case .call(let call) where call.phone === phone:
            guard let dialog = try? Dialog(server: request, localTag: transaction.localTag, state: .confirmed) else {
                return refuse(transaction, 400)
            }
            refer(transaction, in: call, answering: dialog)
        // A phone takes what another device has: that is what Replaces is for.
        case .call, .part, .foreign: refuse(transaction, 403, "Not a dialog of this phone")
        case .ended, .unknown: refuse(transaction, 481)
        }
    }

    /// - Parameter dialog: that of the REFER itself, when it is not in the call's.
    func refer(_ transaction: ServerTransaction, in call: PhoneCall, answering dialog: Dialog? = nil) {
        let request = transaction.request
        guard let refer = try? Refer(request) else { return refuse(transaction, 400) }
        guard case .standing = call.link, call.control.state == .standing, let session = call.session else {
            return refuse(transaction, 481)
        }
        guard referrals[session] == nil else { return refuse(transaction, 491) }
        let target = target(refer)
        if case .refused(let status, let reason) = target { return refuse(transaction, status, reason) }
        let isTransfer =
            switch target {
            case .user, .joined: true
            case .device, .phone, .refused: false
            }
        if case .joined(_, let other) = target, other == session || referrals[other] != nil {
            return refuse(transaction, 491)
        }
        let seconds = isTransfer ? context.limits.transferSeconds : context.limits.moveSeconds
        // The first one of a dialog need not be told from others, and some phones do not expect it to be.
        let isFirst = dialog != nil || call.refers == 0
        if dialog == nil { call.refers += 1 }
        let referral = PhoneReferral(
            call,
            session,
            event: isFirst ? EventKey(package: refer.event.package) : refer.event,
            wantsNews: refer.wantsSubscription,
            dialog: dialog,
            flow: transaction.flow,
            seconds: seconds
        )
        referrals[session] = referral
        var response = transaction.makeResponse(202)
        response.copyRecordRoute(from: request)
        response.append(.contact, context.contact(transaction.flow))
        if !refer.wantsSubscription { response.append(.referSub, "false") }
        transaction.respond(response)
        referral.begin()
        begin(referral, target)
    }

    private func refuse(_ transaction: ServerTransaction, _ status: SIPStatus, _ reason: String? = nil) {
        transaction.respond(transaction.makeResponse(status, reason: reason))
    }

    private func target(_ refer: Refer) -> Target {
        guard refer.method == .invite else { return .refused(603, "Only calls are handed on") }
        if let replaces = refer.replaces { return joined(replaces) }
        guard case .sip(var uri) = refer.targetURI else { return .refused(416, nil) }
        // Some phones write the address without angle brackets, which makes its parameters those of the header field.
        if uri.gruu == nil, let name = refer.target.parameters["gr"] { uri.parameters["gr"] = name }
        guard let address = try? Address(uri.description), let domain = address.domain else {
            return .refused(404, nil)
        }
        guard context.service.serves(domain) else {
            return context.service.reaches(domain) ? .user(address) : .refused(403, "No way to that provider")
        }
        guard phone.addresses.contains(address) else { return .user(address) }
        guard uri.gruu != nil else { return .refused(403, "Name one of your devices") }
        guard let device = DeviceGRUU.device(uri) else { return .phone(uri) }
        return device == identity.device ? .refused(603, "It is on this phone") : .device(device)
    }

    /// Two calls of the phone become one of the other two (RFC 5589, section 7): whoever is at the other end of the call that
    /// is named.
    private func joined(_ reference: DialogReference) -> Target {
        guard let id = reference.dialogID(.replacesOrJoin) else { return .refused(400, nil) }
        switch NamedDialog(id, for: identity.account, in: context) {
        case .call(let other) where other.phone === phone:
            guard case .standing = other.link, other.control.state == .standing, !reference.isEarlyOnly,
                let session = other.session, let document = documents[session], document.participants.count == 2,
                let user = document.participants.first(where: { $0 != document.user })
            else { return .refused(481, nil) }
            guard user.domain.map(context.service.serves) ?? false else {
                return .refused(403, "Only calls of this provider's users are joined")
            }
            return .joined(user, session)
        case .call, .part, .foreign: return .refused(403, "Not a dialog of this phone")
        case .ended, .unknown: return .refused(481, nil)
        }
    }

    private func begin(_ referral: PhoneReferral, _ target: Target) {
        switch target {
        case .refused: break
        case .joined(let address, let other):
            referral.join(other)
            run(referral) { [identity] service, session in
                (.user(address), try await service.invite(identity, session, address))
            }
        case .device(let device): handOver(referral, to: device)
        case .phone(let uri):
            Task { [service = context.service, identity, self] in
                let devices = try? await service.devices(identity.account, asking: identity.device).devices
                self.post {
                    let device = devices?.map(\.device.id).first { device in
                        let gruu = self.phone.directory.registered(identity.of(device))?.publicGRUU
                        return gruu.flatMap { try? URI($0).sip }?.isEquivalent(to: uri) ?? false
                    }
                    guard let device, device != identity.device else { return referral.finish(.failed(404)) }
                    self.handOver(referral, to: device)
                }
            }
        case .user(let address):
            handOn(referral, to: address)
        }
    }

    /// Where the other end's provider has the call, that is where it is handed on; else the other user is asked into it.
    private func handOn(_ referral: PhoneReferral, to address: Address) {
        let isOurs = address.domain.map(context.service.serves) ?? false
        Task { [service = context.service, identity, self] in
            let status = try? await service.handOn(identity, referral.session, to: address)
            self.post {
                if let status = status.flatMap(SIPStatus.init(rawValue:)) {
                    return referral.finish(status.isSuccess ? .done : .failed(status), leaves: true)
                }
                self.run(referral) { [identity] service, session in
                    (isOurs ? .user(address) : .guest(address), try await service.invite(identity, session, address))
                }
            }
        }
    }

    private func handOver(_ referral: PhoneReferral, to device: DeviceID) {
        let texts = context.limits.historyTexts
        run(referral) { [identity] service, session in
            let handOver = try await service.handOver(
                identity,
                session,
                from: identity.device,
                to: device,
                kinds: [.audio, .video],
                texts: texts
            )
            return (.device(device, moves: handOver.moves), handOver.session)
        }
    }

    private func run(
        _ referral: PhoneReferral,
        _ body: @escaping @Sendable (MessagingService, SessionID) async throws -> (Referral.Goal, SessionDocument)
    ) {
        Task { [service = context.service, self] in
            let result: Result<(Referral.Goal, SessionDocument), any Error>
            do { result = .success(try await body(service, referral.session)) } catch { result = .failure(error) }
            self.post {
                switch result {
                case .success(let (goal, document)): referral.follow(goal, document)
                case .failure(let error):
                    let refusal = error as? Refusal ?? Refusal(.internalError, "")
                    referral.finish(.failed(refusal.code == .notFound ? 404 : refusal.handOverStatus))
                }
            }
        }
    }

    /// The conversation changed.
    func follow(_ document: SessionDocument) { referrals[document.id]?.take(document) }

    /// Whether the phone handed this call on, and it is open how that comes out.
    func isReferring(_ call: PhoneCall) -> Bool { call.session.flatMap { referrals[$0] }?.call === call }
}
