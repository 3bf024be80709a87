"""gateway/cli/"""
