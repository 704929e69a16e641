import NIOCore
import NIOWebSocket

/// Turns WebSocket messages into buffers and back (RFC 7977): one chunk each way a message.
final class WebSocketBridge: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = WebSocketFrame

    private let isClient: Bool
    private var isClosing = false

    init(isClient: Bool) { self.isClient = isClient }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = self.unwrapInboundIn(data)
        switch frame.opcode {
        case .text, .binary: context.fireChannelRead(self.wrapInboundOut(frame.unmaskedData))
        case .ping: self.send(.pong, frame.unmaskedData, context)
        case .connectionClose:
            guard !self.isClosing else { return context.close(promise: nil) }
            self.isClosing = true
            var code = frame.unmaskedData
            self.send(.connectionClose, code.readSlice(length: min(2, code.readableBytes)) ?? ByteBuffer(), context)
            context.close(promise: nil)
        default: break
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let frame = self.frame(.binary, self.unwrapOutboundIn(data))
        context.write(self.wrapOutboundOut(frame), promise: promise)
    }

    private func send(_ opcode: WebSocketOpcode, _ data: ByteBuffer, _ context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(self.frame(opcode, data)), promise: nil)
    }

    private func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: self.isClient ? .random() : nil, data: data)
    }
}
