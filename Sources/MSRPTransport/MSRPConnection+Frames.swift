import MSRP
import NIOCore

extension MSRPConnection {
    func handle(_ event: FrameEvent) {
        switch event {
        case .head(let head): self.handleHead(head)
        case .body(let bytes):
            if case .session(let session) = self.target { self.handleBody(bytes, session) }
        case .end(let flag):
            let target = self.target
            self.target = .nobody
            if case .session(let session) = target { self.handleEnd(flag, session) }
        }
    }

    private func handleHead(_ head: FrameHead) {
        self.target = .nobody
        if let (toPath, session) = self.lastRoute, head.toPathBytes == toPath {
            return self.deliver(head, to: session)
        }
        guard let first = try? head.toPath(limits: self.endpoint.frameLimits).first, let name = first.sessionID else {
            // Nobody can be found for it; if it says where it comes from, that is where it hears of it.
            return self.refuse(head, head.defect?.responseStatus ?? .badRequest)
        }
        if let session = self.sessions[name] {
            self.lastRoute = (ByteBuffer(bytes: head.toPathBytes.readableBytesView), session)
            return self.deliver(head, to: session)
        }
        if let relay = self.relays[name], head.status != nil {
            self.target = .relay(relay)
            return relay.received(head)
        }
        guard head.method != nil, head.method != .report else { return }
        guard head.method == .send, head.defect == nil else {
            return self.refuse(head, head.defect?.responseStatus ?? .noSuchSession)
        }
        guard let session = self.endpoint.session(named: name) else { return self.refuse(head, .noSuchSession) }
        self.bind(session, head)
    }

    /// A session is asked for that is not bound to this connection.
    private func bind(_ session: MSRPSession, _ head: FrameHead) {
        let home = session.eventLoop
        if home === self.loop { return self.bindHere(session, head) }
        // Its state is on another loop: fetch it. Until it is here, nothing more is read.
        self.isBinding = true
        home.execute {
            let isFree = session.eventLoop === home && session.connection == nil
            if isFree { session.move(to: self.loop) }
            self.loop.execute {
                self.isBinding = false
                if session.eventLoop === self.loop {
                    self.bindHere(session, head)
                } else {
                    self.refuse(head, .alreadyBound)
                }
                self.readingChanged()
            }
        }
    }

    private func bindHere(_ session: MSRPSession, _ head: FrameHead) {
        guard self.context != nil else { return }
        guard session.core.isAddressed(by: head) else { return self.refuse(head, .noSuchSession) }
        guard self.sessions.count < self.limits.maxSessionsPerConnection else {
            return self.refuse(head, .forbidden)
        }
        let action = session.core.lifecycle.requestReceived(on: self.id)
        switch action {
        case .refuse(let status): return self.refuse(head, status)
        case .established:
            guard self.add(session) else { return self.refuse(head, .forbidden) }
            session.perform(action)
            self.deliver(head, to: session)
        case .ignore, .connect, .wait, .bind, .close: return
        }
    }

    private func deliver(_ head: FrameHead, to session: MSRPSession) {
        self.target = .session(session)
        do throws(MSRPError) {
            let action = try session.core.receivedHead(head, now: .now(), into: &self.control)
            switch action {
            case .nothing: break
            case .began(let incoming): session.emit(.began(incoming))
            case .bound(let action): session.perform(action)
            case .answer(.result(let result)):
                session.finish(result)
                if result.outcome == .failed(.noSuchSession) || result.outcome == .failed(.alreadyBound) {
                    session.perform(session.core.lifecycle.close(.init(.refused, "the peer knows no such session")))
                }
            case .answer(.progress), .answer(.ignore): break
            }
        } catch {
            // It cannot be answered, and nothing was done about it.
            self.target = .nobody
        }
    }

    private func handleBody(_ bytes: ByteBuffer, _ session: MSRPSession) {
        var action = session.core.receivedBody(bytes, into: &self.control)
        while case .deliver(let id, let offset, let content) = action {
            session.emit(.content(id, offset: offset, content))
            action = session.core.takeReady()
        }
        if case .stop(let id, _) = action {
            session.emit(.aborted(id))
            self.flushControl()
        }
    }

    private func handleEnd(_ flag: Continuation, _ session: MSRPSession) {
        switch session.core.receivedEnd(flag, into: &self.control) {
        case .nothing: break
        case .completed(let id, let size): session.emit(.completed(id, size: size))
        case .aborted(let id): session.emit(.aborted(id))
        }
        session.scheduleTimer()
    }

    /// Answers a request that no session takes.
    private func refuse(_ head: FrameHead, _ status: MSRPStatus) {
        self.refusals += 1
        if head.method != nil, head.method != .report, (try? head.failureReport()) != .no,
            let frame = try? Frame.response(status, to: head)
        {
            try? self.control.add(frame)
        }
        guard self.refusals > self.limits.maxRefusals else { return }
        self.flushControl()
        self.close()
    }
}
