"""gateway/orchestration/"""
