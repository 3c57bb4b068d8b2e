"""A Telegram on your desk: a loopback Bot API server with a chat page, for demos and tests.

server          one port: the bot's side, the person's side, the page
bot_api/        what a bot calls: `/bot<token>/<method>`
person_side/    what persons do and see: `/sim/...`
page/           the chat page, which uses nothing but `/sim/...`
world/          persons, chats, messages, updates: what both sides act on
formatting/     texts and keyboards
media/          pictures and clips
faults, limits, watching    outages on order, flood limits, the log of calls and the events
"""
