import NIOCore
import NIOWebSocket

/// Refuses frames without a mask, or with bits of an extension that nobody agreed on (RFC 6455, sections 5.1 and 5.2).
///
/// Fragments lose these marks when they are put together, so it is looked at before.
final class SocketFrameCheck: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = WebSocketFrame

    /// A frame that breaks the protocol.
    struct Violation: Error {}

    private var isBroken = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isBroken else { return }
        let frame = unwrapInboundIn(data)
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
            isBroken = true
            context.fireErrorCaught(Violation())
            return
        }
        context.fireChannelRead(data)
    }
}
